import { Args, ChangeCommand, remote, type InputOf, type OutputOf, type Parsed } from '../../cli/command.ts'

const operation = remote('scuba.segment.compact', async () => (await import('../../core/scuba/operations/segments.ts')).scubaCompact)

export default class ScubaCompact extends ChangeCommand<typeof operation> {
  static override operation = operation
  static override summary = 'Seal what a table has unsealed, and make one of its small segments of each hour and day.'
  static override args = { table: Args.string({ description: 'the table', required: true }) }
  static override examples = ['<%= config.bin %> scuba compact requests']

  input({ args }: Parsed<typeof ScubaCompact>): InputOf<typeof operation> {
    return { table: args.table }
  }

  render({ table, before, after }: OutputOf<typeof operation>): string {
    return before === 0 ? `No small segments of ${table} belong together.` : `${before} small segments of ${table} are ${after} now.`
  }
}
