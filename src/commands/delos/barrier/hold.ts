import { Args, Flags, MusterCommand } from '../../../cli/command.ts'
import { STORE_FLAGS, storeOf } from '../../../cli/flags/store.ts'
import { MusterError } from '../../../core/kernel/errors.ts'

export default class BarrierHold extends MusterCommand {
  static override summary = 'Close a barrier, so that who enters it without --count waits until it is released.'
  static override description = 'It stays closed without us: it has no lease. One that is closed already is refused (exit 5).'
  static override args = { name: Args.string({ required: true, description: 'the barrier' }) }
  static override flags = {
    reason: Flags.string({ description: 'kept as the value of its key', default: '', helpValue: 'TEXT' }),
    ...STORE_FLAGS,
  }
  static override examples = ['<%= config.bin %> delos barrier hold go --reason "database migration"']

  async run(): Promise<void> {
    const { args, flags } = await this.start(BarrierHold)
    const { keyOf } = await import('../../../cli/coordination/key-text.ts')
    const { closeGate } = await import('../../../core/delos/recipes/etcd/gate.ts')
    const client = await storeOf(flags)
    try {
      const done = await client.txn(closeGate(keyOf(args.name), new TextEncoder().encode(flags.reason)))
      if (!done.succeeded)
        throw new MusterError('DELOS_CONFLICT', `the barrier ${args.name} is held already`, { hint: 'Release it first.' })
      const data = { name: args.name, revision: done.header.revision }
      await this.answer(this.dottedId, data, ({ name }) => `${name} is closed`)
    } finally {
      client.close()
    }
  }
}
