import { Args, ChangeCommand, remote, type OutputOf, type Parsed } from '../../../cli/command.ts'
import { OTHER_STORE_FLAGS } from '../../../cli/flags/store.ts'

const operation = remote('delos.lock.release', async () => (await import('../../../core/delos/operations.ts')).lockRelease)

export default class LockRelease extends ChangeCommand<typeof operation> {
  static override operation = operation
  static override summary = 'Take a lock away from its holder.'
  static override description =
    'The holder is not asked: its lease ends, a `lock run` stops its command, and the next in the queue gets the lock.'
  static override args = { name: Args.string({ required: true, description: 'the lock' }) }
  static override flags = { ...OTHER_STORE_FLAGS }
  static override examples = ['<%= config.bin %> delos lock release db/migrate --confirm db/migrate']

  input({ args }: Parsed<typeof LockRelease>) {
    return { name: args.name }
  }

  render(data: OutputOf<typeof operation>): string {
    const from = data.released.map(({ key, token }) => `${key} (token ${token})`).join(', ')
    return `${data.name} is taken from ${from}; ${data.next === null ? 'nobody waits for it' : `${data.next} has it now`}`
  }
}
