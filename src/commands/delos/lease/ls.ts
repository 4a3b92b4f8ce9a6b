import { Flags, QueryCommand, remote, type InputOf, type OutputOf, type Parsed, type View } from '../../../cli/command.ts'
import { OTHER_STORE_FLAGS } from '../../../cli/flags/store.ts'
import { renderLeases } from '../../../cli/render/delos.ts'

const operation = remote('delos.lease.ls', async () => (await import('../../../core/delos/operations.ts')).leaseList)

export default class LeaseLs extends QueryCommand<typeof operation> {
  static override operation = operation
  static override summary = 'List leases: what is left of their time, and their keys.'
  static override flags = {
    limit: Flags.integer({ description: 'at most so many', default: 1000, min: 1, max: 1000 }),
    ...OTHER_STORE_FLAGS,
  }
  static override examples = [
    '<%= config.bin %> delos lease ls',
    '<%= config.bin %> delos lease ls --endpoints http://127.0.0.1:2379 --json',
  ]

  input({ flags }: Parsed<typeof LeaseLs>): InputOf<typeof operation> {
    return { limit: flags.limit }
  }

  render(data: OutputOf<typeof operation>, view: View): string {
    return renderLeases(data.leases, view)
  }
}
