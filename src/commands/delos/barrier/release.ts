import { Args, MusterCommand } from '../../../cli/command.ts'
import { STORE_FLAGS, storeOf } from '../../../cli/flags/store.ts'

export default class BarrierRelease extends MusterCommand {
  static override summary = 'Open a barrier for all who wait at it now, though it is held or too few are here.'
  static override args = { name: Args.string({ required: true, description: 'the barrier' }) }
  static override flags = { ...STORE_FLAGS }
  static override examples = ['<%= config.bin %> delos barrier release go', '<%= config.bin %> delos barrier release phase-1 --json']

  async run(): Promise<void> {
    const { args, flags } = await this.start(BarrierRelease)
    const { releaseBarrier } = await import('../../../cli/coordination/barrier.ts')
    const client = await storeOf(flags)
    try {
      await this.answer(this.dottedId, await releaseBarrier(client, args.name), (data) => `${data.name} is open`)
    } finally {
      client.close()
    }
  }
}
