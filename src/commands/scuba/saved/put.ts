import { Args, ChangeCommand, defined, Flags, remote, type InputOf, type OutputOf, type Parsed } from '../../../cli/command.ts'
import { listFlag } from '../../../cli/flags/query.ts'
import { MusterError } from '../../../core/kernel/errors.ts'

const operation = remote('scuba.saved.put', async () => (await import('../../../core/scuba/saved/operations.ts')).scubaSavedPut)
const list = { multiple: true, multipleNonGreedy: true } as const

export default class ScubaSavedPut extends ChangeCommand<typeof operation> {
  static override operation = operation
  static override summary = 'Save a query under a name, or the queries of a YAML file.'
  static override description =
    'A query is a panel over one --table, or --sql. Its range is up to now (--since 1h), or of fixed times. The explorer of `muster scuba open` shows this command for what it shows.'
  static override args = { name: Args.string({ description: 'name of the query; without one, --file' }) }
  static override flags = {
    file: Flags.string({ char: 'f', description: 'a YAML file of queries, or - for standard input', helpValue: 'FILE' }),
    title: Flags.string({ description: 'what people read' }),
    table: Flags.string({ description: 'the table of a panel' }),
    sql: Flags.string({ description: 'SQL, instead of a panel' }),
    where: Flags.string({ description: 'SQL condition; all of them hold', helpValue: 'CONDITION', ...list }),
    calc: Flags.string({ description: 'what to calculate; count by default', helpValue: 'CALC,…', ...list }),
    by: Flags.string({ description: 'columns to group by', helpValue: 'COLUMN,…', ...list }),
    since: Flags.string({ description: 'range up to now, or its beginning', helpValue: '1h|TIME' }),
    until: Flags.string({ description: 'end of the range', helpValue: 'TIME' }),
    step: Flags.string({ description: 'width of a time step', helpValue: 'DURATION' }),
    top: Flags.integer({ description: 'groups shown', min: 1, max: 50 }),
    other: Flags.boolean({ description: 'one more group for all others' }),
    compare: Flags.string({ description: 'also so much earlier', helpValue: 'DURATION' }),
    view: Flags.string({ description: 'how it is shown', options: ['lines', 'heat', 'number', 'table'] }),
    heat: Flags.string({ description: 'the numeric column of a heat map', helpValue: 'COLUMN' }),
  }
  static override examples = [
    '<%= config.bin %> scuba saved put errors --table requests --where "status >= 500" --by service --since 6h',
    '<%= config.bin %> scuba saved put -f queries.yaml',
  ]

  async input({ args, flags }: Parsed<typeof ScubaSavedPut>): Promise<InputOf<typeof operation>> {
    if ((args.name === undefined) === (flags.file === undefined))
      throw new MusterError('USAGE', 'say the name of one query, or --file', { hint: 'muster scuba saved put errors --table requests' })
    const { loadSavedFile } = await import('../../../cli/files/saved-file.ts')
    if (args.name === undefined) return { queries: loadSavedFile(flags.file ?? '-') }
    const { title, table, sql, since, until, step, top, other, compare, heat } = flags
    const some = (texts: string[]): string[] | undefined => (texts.length > 0 ? texts : undefined)
    const shown = { view: flags.view as 'lines' | undefined, heat }
    return {
      queries: [
        defined({
          name: args.name,
          ...{ title, table, sql, where: some(flags.where ?? []), calc: some(listFlag(flags.calc)), by: some(listFlag(flags.by)) },
          ...{ since, until, step, top, other: other || undefined, compare, ...shown },
        }),
      ],
    }
  }

  render({ names }: OutputOf<typeof operation>): string {
    return names.map((name) => `The query ${name} is saved: muster scuba open saved ${name}`).join('\n')
  }
}
