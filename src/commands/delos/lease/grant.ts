import { ChangeCommand, defined, Flags, remote, type OutputOf, type Parsed } from '../../../cli/command.ts'
import { OTHER_STORE_FLAGS } from '../../../cli/flags/store.ts'
import { durationFlag } from '../../../cli/flags/time.ts'
import { formatDuration } from '../../../core/kernel/units.ts'

const operation = remote('delos.lease.grant', async () => (await import('../../../core/delos/operations.ts')).leaseGrant)

export default class LeaseGrant extends ChangeCommand<typeof operation> {
  static override operation = operation
  static override summary = 'Grant a lease: keys put under it go when it ends.'
  static override description = 'It ends after its time unless it is renewed with `delos lease keepalive`.'
  static override flags = {
    ttl: Flags.string({ description: 'its time, rounded up to whole seconds', default: '60s' }),
    id: Flags.string({ description: 'its id, in hexadecimal; without it one that nobody has', helpValue: 'ID' }),
    ...OTHER_STORE_FLAGS,
  }
  static override examples = [
    '<%= config.bin %> delos lease grant --ttl 30s',
    '<%= config.bin %> delos lease grant --ttl 5m --id 2a --json',
  ]

  input({ flags }: Parsed<typeof LeaseGrant>) {
    return defined({ ttlMs: durationFlag('ttl', flags.ttl, 1000), id: flags.id?.toLowerCase() })
  }

  render(data: OutputOf<typeof operation>): string {
    return `lease ${data.id} granted for ${formatDuration(data.ttlMs)}`
  }
}
