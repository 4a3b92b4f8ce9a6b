import { Args, Flags, MusterCommand } from '../../cli/command.ts'
import { listFlag } from '../../cli/flags/query.ts'
import { cellText } from '../../cli/render/scuba-values.ts'
import { linesOf } from '../../platform/streams.ts'
import { errorFromBody, type ErrorBody } from '../../core/kernel/errors.ts'

export default class ScubaTail extends MusterCommand {
  static override summary = 'Follow the rows of a table as they come in.'
  static override args = { table: Args.string({ description: 'the table', required: true }) }
  static override flags = {
    columns: Flags.string({ description: 'only these columns', helpValue: 'COLUMN,…', multiple: true, multipleNonGreedy: true }),
    limit: Flags.integer({ description: 'end after this many rows', min: 1, helpValue: 'N' }),
  }
  static override examples = [
    '<%= config.bin %> scuba tail requests',
    '<%= config.bin %> scuba tail requests --columns service,status --limit 10 --json',
  ]

  async run(): Promise<void> {
    const { args, flags } = await this.start(ScubaTail)
    const columns = listFlag(flags.columns)
    const end = new AbortController()
    const signal = AbortSignal.any([this.interrupted(), end.signal])
    try {
      await this.sayIfUnknown(args.table)
      const response = await this.client.request('GET', `/v1/scuba/tables/${encodeURIComponent(args.table)}/tail`, { signal })
      let rows = 0
      for await (const line of linesOf(response)) {
        if (response.statusCode !== 200) throw errorFromBody((JSON.parse(line) as { error: ErrorBody }).error)
        this.print(this.line(JSON.parse(line) as Record<string, unknown>, columns))
        rows += 1
        if (rows === flags.limit) break
      }
    } catch (error) {
      if (!signal.aborted) throw error
    } finally {
      end.abort()
    }
  }

  /** A table is made by its first row, so an unknown name is waited for; of a slip of the pen one should hear. */
  private async sayIfUnknown(table: string): Promise<void> {
    const { data } = await this.client.call<{ tables: { name: string }[] }>('scuba.table.list', {})
    if (!data.tables.some((row) => row.name === table)) this.note(`▲ there is no table ${table} yet: waiting for its first row`)
  }

  private line(row: Record<string, unknown>, columns: readonly string[]): string {
    if (typeof row['missed'] === 'number' && Object.keys(row).length === 1)
      return this.isMachine ? JSON.stringify(row) : `… ${row['missed']} rows were too many to show`
    if (typeof row['missing'] === 'string' && Object.keys(row).length === 1)
      return this.isMachine ? JSON.stringify(row) : `… rows of ${row['missing']} are missing`
    const { ingest_time: _, time, ...rest } = row
    const shown = columns.length > 0 ? Object.fromEntries(columns.map((name) => [name, row[name] ?? null])) : rest
    if (this.isMachine) return JSON.stringify(columns.length > 0 ? shown : row)
    return `${cellText(time, 'TIMESTAMP')}  ${Object.entries(shown)
      .map(([name, value]) => `${name}=${cellText(value, name === 'time' ? 'TIMESTAMP' : '')}`)
      .join(' ')}`
  }
}
