import { Args, Flags, MusterCommand } from '../../../cli/command.ts'
import { leaseFlag, STORE_FLAGS, storeOf } from '../../../cli/flags/store.ts'

export default class ElectResign extends MusterCommand {
  static override summary = 'Step down from an election, or stop standing in it; the next follows at once.'
  static override description =
    'Of its own, within the CMD of `delos elect run`, which is then told to end; or of the one with a --place or --lease. ' +
    'Exit 3 if nobody stands there under it.'
  static override args = { name: Args.string({ required: true, description: 'the election' }) }
  static override flags = {
    place: Flags.string({ description: 'the key of who shall step down', helpValue: 'KEY', exclusive: ['lease'] }),
    lease: Flags.string({ description: 'its lease, in hexadecimal', helpValue: 'LEASE' }),
    ...STORE_FLAGS,
  }
  static override examples = [
    '<%= config.bin %> delos elect resign scheduler --lease 694d7a3bb1f4a20c',
    '<%= config.bin %> delos elect resign scheduler --place scheduler/694d7a3bb1f4a20c',
  ]

  async run(): Promise<void> {
    const { args, flags } = await this.start(ElectResign)
    const { resignFrom } = await import('../../../cli/coordination/resign.ts')
    const client = await storeOf(flags)
    try {
      const lease = flags.lease === undefined ? null : leaseFlag(flags.lease)
      const data = await resignFrom(client, { name: args.name, key: flags.place ?? null, lease }, process.env)
      await this.answer(this.dottedId, data, ({ key }) => `stepped down: ${key}`)
    } finally {
      client.close()
    }
  }
}
