import { defined, Flags, MusterCommand, remote, type OutputOf } from '../../cli/command.ts'
import { renderTop } from '../../cli/render/tw-top.ts'

const operation = remote('tw.fleet.summary', async () => (await import('../../core/tw/operations.ts')).fleetSummaryQuery)

export default class TwTop extends MusterCommand {
  static override summary = 'Watch the fleet: heat map, capacity, jobs, what is pending and why, what goes on.'
  static override description =
    'A screen on a terminal; keys: j k move, enter in, e explain, l logs, s shell, / filter, ? help, q quit. Elsewhere, or with --plain, one picture ' +
    'as text; --watch goes on with one after each change, with --json an object a line.'
  static override flags = {
    plain: Flags.boolean({ description: 'text, no screen' }),
    watch: Flags.boolean({ char: 'w', description: 'with --plain, --json or off a terminal: go on' }),
    filter: Flags.string({ description: 'only jobs with this in their name', helpValue: 'TEXT' }),
    cells: Flags.integer({ description: 'most cells of the heat map', min: 1, max: 2000, helpValue: 'N' }),
    jobs: Flags.integer({ description: 'most jobs that are listed', min: 0, max: 1000, helpValue: 'N' }),
  }
  static override examples = [
    '<%= config.bin %> tw top',
    '<%= config.bin %> tw top --plain --filter web',
    '<%= config.bin %> tw top --json --cells 100',
  ]

  async run(): Promise<void> {
    const { flags } = await this.start(TwTop)
    const wish = defined({ filter: flags.filter, cellsMax: flags.cells, jobsMax: flags.jobs })
    if (this.isScreen && !flags.plain) {
      const { openTwTop } = await import('../../tui/tw-top/open.tsx')
      return openTwTop({ client: this.client, context: this.settings.context.value, view: this.view, signal: this.interrupted() })
    }
    const draw = (data: OutputOf<typeof operation>, view = this.view): string => renderTop(view, data)
    if (!flags.watch) {
      const { data, warnings } = await this.call(operation, wish)
      return this.answer(this.dottedId, data, draw, warnings)
    }
    const { followFleet } = await import('../../cli/follow/fleet.ts')
    for await (const news of followFleet(this.client, () => wish, this.interrupted())) {
      if ('trouble' in news) this.note(`▲ ${news.trouble}`)
      else if (this.isMachine) this.print(JSON.stringify({ type: 'snapshot', position: news.position, data: news.summary }))
      else this.print(this.isScreen ? `\u001b[H\u001b[2J${draw(news.summary)}` : `${draw(news.summary)}\n`)
    }
  }
}
