import { Args, Flags } from '../../cli/command.ts'
import { timeFlag } from '../../cli/flags/time.ts'
import { PageCommand } from '../../cli/page-command.ts'
import { MusterError } from '../../core/kernel/errors.ts'
import { linkParams } from '../../core/scuba/saved/link.ts'
import type { StoredSaved } from '../../core/scuba/saved/queries.ts'
import type { Asked } from '../../core/scuba/saved/schema.ts'

/** What can be opened → its page, and the parameter of it that takes the name. */
const PAGES: Record<string, { page: string; parameter: string }> = {
  explore: { page: 'scuba', parameter: 'table' },
  sql: { page: 'sql', parameter: 'sql' },
  board: { page: 'boards', parameter: 'name' },
  slo: { page: 'slo', parameter: 'service' },
  alert: { page: 'alerts', parameter: 'name' },
  trace: { page: 'trace', parameter: 'id' },
}

export default class ScubaOpen extends PageCommand {
  static override summary = 'Open the explorer, a saved query, a board, an objective, an alert or a trace in the browser.'
  static override description =
    'The page has its question in its address, so that is the link to keep; what `muster scuba open` prints lets one browser in, once. With --absolute the times of the link are fixed.'
  static override args = {
    what: Args.string({
      description: 'what to open',
      options: ['explore', 'saved', 'sql', 'board', 'slo', 'alert', 'trace'],
      default: 'explore',
    }),
    name: Args.string({ description: 'table, saved query, SQL, board, service, rule, or id of a trace' }),
  }
  static override flags = {
    ...PageCommand.flags,
    since: Flags.string({ description: 'range up to now, or its beginning', helpValue: '1h|TIME' }),
    until: Flags.string({ description: 'end of the range', helpValue: 'TIME' }),
    absolute: Flags.boolean({ description: 'fix the times to what they are now' }),
  }
  static override examples = [
    '<%= config.bin %> scuba open',
    '<%= config.bin %> scuba open board requests',
    '<%= config.bin %> scuba open saved errors --absolute',
    '<%= config.bin %> scuba open explore requests --since 15m',
  ]

  async run(): Promise<void> {
    const { args, flags } = await this.start(ScubaOpen)
    const times = {
      ...(flags.since === undefined ? {} : { since: flags.since }),
      ...(flags.until === undefined ? {} : { until: flags.until }),
    }
    if (args.what === 'saved') {
      if (args.name === undefined)
        throw new MusterError('USAGE', 'say which saved query', { hint: 'List them with `muster scuba saved list`.' })
      const { data } = await this.client.call<StoredSaved>('scuba.saved.show', { name: args.name })
      const { name: _, title: __, ...asked } = data.query
      const link = linkParams(this.fixed({ ...asked, ...times }, flags.absolute))
      return this.openPage(asked.sql === undefined ? 'scuba' : 'sql', new URLSearchParams(link).toString(), flags)
    }
    const { page, parameter } = PAGES[args.what] ?? { page: 'scuba', parameter: 'table' }
    const hasTimes = page === 'scuba' || page === 'sql' || page === 'boards'
    const params = hasTimes ? linkParams(this.fixed(times, flags.absolute)) : []
    await this.openPage(
      page,
      new URLSearchParams([...(args.name === undefined ? [] : [[parameter, args.name] as [string, string]]), ...params]).toString(),
      flags,
    )
  }

  /** The question with fixed times, if wanted. */
  private fixed(asked: Asked, isAbsolute: boolean): Asked {
    if (!isAbsolute) return asked
    const now = Date.now()
    const untilMs = timeFlag('until', asked.until, now) ?? now
    const sinceMs = timeFlag('since', asked.since ?? '1h', untilMs) ?? untilMs
    return { ...asked, since: new Date(sinceMs).toISOString(), until: new Date(untilMs).toISOString() }
  }
}
