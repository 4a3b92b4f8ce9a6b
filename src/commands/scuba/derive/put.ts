import { Args, ChangeCommand, remote, type InputOf, type OutputOf, type Parsed } from '../../../cli/command.ts'

const operation = remote('scuba.derived.put', async () => (await import('../../../core/scuba/operations/derived.ts')).scubaDerivedPut)
const check = remote('scuba.derived.check', async () => (await import('../../../core/scuba/operations/derived.ts')).scubaDerivedCheck)

export default class ScubaDerivePut extends ChangeCommand<typeof operation> {
  static override operation = operation
  static override summary = 'Put a derived column: an SQL expression over the columns of a table, computed when it is asked for.'
  static override args = {
    table: Args.string({ description: 'the table', required: true }),
    name: Args.string({ description: 'the derived column', required: true }),
    sql: Args.string({ description: 'the expression', required: true }),
  }
  static override examples = [`<%= config.bin %> scuba derive put requests is_slow "latency_ms > 200"`]

  async input({ args: { table, name, sql } }: Parsed<typeof ScubaDerivePut>): Promise<InputOf<typeof operation>> {
    // The engine says what is wrong with it, before it stands in the log.
    await this.call(check, { table, sql })
    return { table, name, sql }
  }

  render({ table, name, sql }: OutputOf<typeof operation>): string {
    return `${table} has a column ${name} = ${sql}.`
  }
}
