import { Args, Flags, MusterCommand } from '../../../cli/command.ts'
import { leaseFlag, STORE_FLAGS, storeOf } from '../../../cli/flags/store.ts'
import { durationFlag } from '../../../cli/flags/time.ts'

export default class BarrierLeave extends MusterCommand {
  static override summary = 'Leave a barrier that was entered with --stay, and wait until all others have left.'
  static override description =
    'One whose barrier has not opened yet leaves at once. Exit 5 when --timeout is over; the place is left all the same.'
  static override args = { name: Args.string({ required: true, description: 'the barrier' }) }
  static override flags = {
    lease: Flags.string({ description: 'the lease that `barrier enter --stay` told, in hexadecimal', required: true, helpValue: 'LEASE' }),
    timeout: Flags.string({ description: 'longest wait; then exit 5; without it as long as it takes', helpValue: 'T' }),
    ...STORE_FLAGS,
  }
  static override examples = ['<%= config.bin %> delos barrier leave phase-1 --lease 694d7a3bb1f4a20c --timeout 5m']

  async run(): Promise<void> {
    const { args, flags } = await this.start(BarrierLeave)
    const { leaveEntered } = await import('../../../cli/coordination/barrier.ts')
    const leaving = {
      name: args.name,
      lease: leaseFlag(flags.lease),
      waitMs: durationFlag('timeout', flags.timeout) ?? Number.POSITIVE_INFINITY,
    }
    const client = await storeOf(flags)
    try {
      await leaveEntered(client, leaving, this.interrupted())
      await this.answer(this.dottedId, { name: args.name, lease: flags.lease }, (data) => `all have left ${data.name}`)
    } finally {
      client.close()
    }
  }
}
