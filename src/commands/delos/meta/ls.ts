import { defined, Flags, QueryCommand, remote, type InputOf, type OutputOf, type Parsed, type View } from '../../../cli/command.ts'
import { renderMetaRecords } from '../../../cli/render/delos-meta.ts'

const operation = remote('delos.meta.ls', async () => (await import('../../../core/delos/operations.ts')).metaList)

export default class MetaLs extends QueryCommand<typeof operation> {
  static override operation = operation
  static override summary = 'List metadata records.'
  static override flags = {
    kind: Flags.string({ description: 'only of this kind' }),
    limit: Flags.integer({ char: 'n', description: 'at most so many', default: 1000, min: 1, max: 1000 }),
  }
  static override examples = ['<%= config.bin %> delos meta ls', '<%= config.bin %> delos meta ls --kind database --json']

  input({ flags }: Parsed<typeof MetaLs>): InputOf<typeof operation> {
    return defined({ kind: flags.kind, limit: flags.limit })
  }

  render(data: OutputOf<typeof operation>, view: View): string {
    return `${renderMetaRecords(data.records, Date.now(), view)}${data.more ? `\nOnly the first ${data.records.length}; there are more.` : ''}`
  }
}
