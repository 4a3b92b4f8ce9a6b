import { Args, Flags, MusterCommand } from '../../../cli/command.ts'
import { STORE_FLAGS, storeOf } from '../../../cli/flags/store.ts'
import { renderLeader } from '../../../cli/render/coordination.ts'

export default class ElectObserve extends MusterCommand {
  static override summary = 'Tell who leads, and every new leader or value as it comes.'
  static override description = 'Goes on over restarts of the servers, until Ctrl-C. With --json one object a line.'
  static override args = { name: Args.string({ required: true, description: 'the election' }) }
  static override flags = {
    events: Flags.integer({ description: 'end after so many', helpValue: 'N', min: 1 }),
    ...STORE_FLAGS,
  }
  static override examples = [
    '<%= config.bin %> delos elect observe scheduler',
    '<%= config.bin %> delos elect observe scheduler --events 1 --json',
  ]

  async run(): Promise<void> {
    const { args, flags } = await this.start(ElectObserve)
    const { leaders } = await import('../../../cli/coordination/leaders.ts')
    const client = await storeOf(flags)
    let left = flags.events ?? Infinity
    try {
      for await (const leader of leaders(client, args.name, this.interrupted())) {
        this.print(this.isMachine ? JSON.stringify(leader) : renderLeader(this.view, leader))
        left -= 1
        if (left <= 0) return
      }
    } finally {
      client.close()
    }
  }
}
