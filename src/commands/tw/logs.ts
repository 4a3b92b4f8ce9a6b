import { Args, Flags, MusterCommand } from '../../cli/command.ts'
import { timeFlag } from '../../cli/flags/time.ts'
import { followLogs } from '../../cli/follow/logs.ts'
import { paint, type Color } from '../../cli/render/style.ts'

const COLORS: readonly Color[] = ['cyan', 'green', 'yellow', 'blue']

export default class TwLogs extends MusterCommand {
  static override summary = 'Print what tasks wrote, of all of them interleaved by time.'
  static override args = { target: Args.string({ description: 'JOB, JOB/GROUP, JOB/GROUP[INDEX]', required: true }) }
  static override flags = {
    follow: Flags.boolean({ char: 'f', description: 'go on with what is written from now on' }),
    lines: Flags.integer({ char: 'n', description: 'so many last lines of each task', default: 100, min: 0 }),
    since: Flags.string({ description: 'only what was written since', helpValue: 'AGO|TIME' }),
    all: Flags.boolean({ description: 'also of tasks that ended, as long as they are remembered' }),
    grep: Flags.string({ description: 'only lines in which this regular expression is found', helpValue: 'REGEXP' }),
    stream: Flags.string({ description: 'only this stream', options: ['out', 'err', 'all'], default: 'all' }),
  }
  static override examples = [
    '<%= config.bin %> tw logs web',
    '<%= config.bin %> tw logs web -f --grep error',
    '<%= config.bin %> tw logs web --since 15m --all',
    "<%= config.bin %> tw logs 'web/api[3]' -n 20 --stream err",
  ]

  async run(): Promise<void> {
    const { args, flags } = await this.start(TwLogs)
    const signal = this.interrupted()
    const colors = new Map<string, Color>()
    const wish = {
      target: args.target ?? '',
      lines: flags.lines,
      isFollowed: flags.follow ?? false,
      isAll: flags.all ?? false,
      sinceMs: timeFlag('since', flags.since, Date.now()),
      grep: flags.grep,
      stream: flags.stream,
    }
    await followLogs(this.client, wish, signal, (line) => {
      if (this.isMachine) this.print(JSON.stringify(line))
      else if (line.stream === 'muster') this.note(`${line.task}: ${line.line}`)
      else this.print(`${paint(this.view, colorOf(line.task, colors), line.task)} ${line.line}`)
    })
  }
}

function colorOf(task: string, colors: Map<string, Color>): Color {
  const color = colors.get(task) ?? COLORS[colors.size % COLORS.length] ?? 'cyan'
  colors.set(task, color)
  return color
}
