import { Args, Flags, MusterCommand, remote } from '../../../cli/command.ts'
import { OTHER_STORE_FLAGS } from '../../../cli/flags/store.ts'
import { formatDuration } from '../../../core/kernel/units.ts'
import { isRefusal } from '../../../core/kernel/errors.ts'

const operation = remote('delos.lease.keepalive', async () => (await import('../../../core/delos/operations.ts')).leaseKeepalive)

const RETRY_MS = 200

export default class LeaseKeepalive extends MusterCommand {
  static override summary = 'Renew a lease, again and again until Ctrl-C, or once.'
  static override description =
    'Ends with 3 when the lease is gone. A server that is away is asked again as long as the lease can still be there.'
  static override args = { id: Args.string({ required: true, description: 'the lease, in hexadecimal' }) }
  static override flags = {
    once: Flags.boolean({ description: 'renew it once' }),
    ...OTHER_STORE_FLAGS,
  }
  static override examples = ['<%= config.bin %> delos lease keepalive 2a', '<%= config.bin %> delos lease keepalive 2a --once --json']

  async run(): Promise<void> {
    const { args, flags } = await this.start(LeaseKeepalive)
    const signal = this.interrupted()
    let endsAt = 0
    for (;;) {
      const sentAt = performance.now()
      const renewed = await this.call(operation, { id: args.id.toLowerCase() }).catch((error: unknown) => {
        const isGone = !isRefusal(error) || error.code === 'DELOS_LEASE_UNKNOWN' || error.code === 'USAGE'
        if (isGone || performance.now() >= endsAt) throw error
        return null
      })
      if (renewed !== null) {
        const { data } = renewed
        endsAt = sentAt + data.ttlMs
        if (this.isMachine && !flags.once) this.print(JSON.stringify(data))
        else await this.answer(this.dottedId, data, ({ id, ttlMs }) => `lease ${id} renewed for ${formatDuration(ttlMs)}`)
        if (flags.once) return
      }
      await this.sleep(renewed === null ? RETRY_MS : renewed.data.ttlMs / 3, signal)
      if (signal.aborted) return
    }
  }

  private sleep(ms: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      if (signal.aborted) return resolve()
      const done = (): void => {
        clearTimeout(timer)
        signal.removeEventListener('abort', done)
        resolve()
      }
      const timer = setTimeout(done, ms)
      signal.addEventListener('abort', done, { once: true })
    })
  }
}
