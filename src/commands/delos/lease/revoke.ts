import { Args, ChangeCommand, remote, type OutputOf, type Parsed } from '../../../cli/command.ts'
import { OTHER_STORE_FLAGS } from '../../../cli/flags/store.ts'
import { count } from '../../../cli/render/text.ts'

const operation = remote('delos.lease.revoke', async () => (await import('../../../core/delos/operations.ts')).leaseRevoke)

export default class LeaseRevoke extends ChangeCommand<typeof operation> {
  static override operation = operation
  static override summary = 'End a lease, and delete its keys as one revision.'
  static override args = { id: Args.string({ required: true, description: 'the lease, in hexadecimal' }) }
  static override flags = { ...OTHER_STORE_FLAGS }
  static override examples = ['<%= config.bin %> delos lease revoke 2a', '<%= config.bin %> delos lease revoke 2a --plan']

  input({ args }: Parsed<typeof LeaseRevoke>) {
    return { id: args.id.toLowerCase() }
  }

  render(data: OutputOf<typeof operation>): string {
    return `lease ${data.id} ended, ${count(data.deleted, 'key')} deleted`
  }
}
