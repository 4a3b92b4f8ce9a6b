import { Args, defined, QueryCommand, remote, type InputOf, type OutputOf, type Parsed, type View } from '../../../cli/command.ts'
import { OTHER_STORE_FLAGS } from '../../../cli/flags/store.ts'
import { renderLocks } from '../../../cli/render/delos.ts'

const operation = remote('delos.lock.ls', async () => (await import('../../../core/delos/operations.ts')).lockList)

export default class LockLs extends QueryCommand<typeof operation> {
  static override operation = operation
  static override summary = 'List locks that are held: holder, fencing token and who waits.'
  static override args = { prefix: Args.string({ description: 'only locks whose names start so' }) }
  static override flags = { ...OTHER_STORE_FLAGS }
  static override examples = ['<%= config.bin %> delos lock ls', '<%= config.bin %> delos lock ls db/ -o wide']

  input({ args }: Parsed<typeof LockLs>): InputOf<typeof operation> {
    return defined({ prefix: args.prefix })
  }

  render(data: OutputOf<typeof operation>, view: View): string {
    return renderLocks(data.locks, view)
  }
}
