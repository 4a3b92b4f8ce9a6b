import { Args, ChangeCommand, Flags, remote, type OutputOf, type Parsed } from '../../../cli/command.ts'
import { OTHER_STORE_FLAGS } from '../../../cli/flags/store.ts'

const operation = remote('delos.kv.compact', async () => (await import('../../../core/delos/operations.ts')).kvCompact)

export default class KvCompact extends ChangeCommand<typeof operation> {
  static override operation = operation
  static override summary = 'Forget the history of all keys before a revision.'
  static override description =
    'Keys keep their values; what they were before that revision can no longer be read or watched. The store of a context keeps its last 100,000 revisions by itself.'
  static override args = { revision: Args.integer({ required: true, min: 1, description: 'the oldest revision that stays readable' }) }
  static override flags = {
    physical: Flags.boolean({ description: 'wait until the space of what is forgotten is free' }),
    ...OTHER_STORE_FLAGS,
  }
  static override examples = ['<%= config.bin %> delos kv compact 1200 --yes', '<%= config.bin %> delos kv compact 1200 --plan']

  input({ args, flags }: Parsed<typeof KvCompact>) {
    return { revision: args.revision, isPhysical: flags.physical }
  }

  render(data: OutputOf<typeof operation>): string {
    return `compacted: revision ${data.compacted} is the oldest that can be read`
  }
}
