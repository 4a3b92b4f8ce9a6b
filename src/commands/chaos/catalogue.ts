import { QueryCommand, remote, type InputOf, type OutputOf, type View } from '../../cli/command.ts'
import { table } from '../../cli/render/table.ts'

const operation = remote('chaos.catalogue.get', async () => (await import('../../core/chaos/operations.ts')).catalogueGet)

export default class ChaosCatalogue extends QueryCommand<typeof operation> {
  static override operation = operation
  static override summary = 'List what can be broken, and what undoes it.'
  static override examples = ['<%= config.bin %> chaos catalogue', '<%= config.bin %> chaos catalogue -o wide']

  input(): InputOf<typeof operation> {
    return {}
  }

  render(data: OutputOf<typeof operation>, view: View): string {
    return table(view, data.faults, [
      { title: 'fault', cell: (kind) => kind.fault },
      { title: 'by', cell: (kind) => (kind.by === 'mesh' ? 'every proxy' : "the task's node") },
      { title: 'class', cell: (kind) => kind.class },
      { title: 'what', cell: (kind) => kind.summary, canShrink: true },
      { title: 'arguments', cell: (kind) => Object.keys(kind.arguments).join(', '), canShrink: true },
      { title: 'undone by', cell: (kind) => kind.undoneBy, isWide: true },
    ])
  }
}
