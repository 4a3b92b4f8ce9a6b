import { Args, QueryCommand, remote, type InputOf, type OutputOf, type Parsed, type View } from '../../../cli/command.ts'
import { OTHER_STORE_FLAGS } from '../../../cli/flags/store.ts'
import { renderLease } from '../../../cli/render/delos.ts'

const operation = remote('delos.lease.show', async () => (await import('../../../core/delos/operations.ts')).leaseShow)

export default class LeaseShow extends QueryCommand<typeof operation> {
  static override operation = operation
  static override summary = 'Show a lease: its time, what is left of it, and the keys that hang on it.'
  static override args = { id: Args.string({ required: true, description: 'the lease, in hexadecimal' }) }
  static override flags = { ...OTHER_STORE_FLAGS }
  static override examples = ['<%= config.bin %> delos lease show 2a', '<%= config.bin %> delos lease show 2a --json']

  input({ args }: Parsed<typeof LeaseShow>): InputOf<typeof operation> {
    return { id: args.id.toLowerCase() }
  }

  render(data: OutputOf<typeof operation>, view: View): string {
    return renderLease(data, view)
  }
}
