import { Args, QueryCommand, remote, type InputOf, type OutputOf, type Parsed, type View } from '../../../cli/command.ts'
import { OTHER_STORE_FLAGS } from '../../../cli/flags/store.ts'
import { renderLock } from '../../../cli/render/delos.ts'

const operation = remote('delos.lock.show', async () => (await import('../../../core/delos/operations.ts')).lockShow)

export default class LockShow extends QueryCommand<typeof operation> {
  static override operation = operation
  static override summary = 'Show who holds a lock, with which token, and who waits for it, in order.'
  static override description = 'A lock that nobody holds exits with 3.'
  static override args = { name: Args.string({ required: true, description: 'the lock' }) }
  static override flags = { ...OTHER_STORE_FLAGS }
  static override examples = ['<%= config.bin %> delos lock show db/migrate', '<%= config.bin %> delos lock show db/migrate --json']

  input({ args }: Parsed<typeof LockShow>): InputOf<typeof operation> {
    return { name: args.name }
  }

  render(data: OutputOf<typeof operation>, view: View): string {
    return renderLock(data, view)
  }
}
