import { Args, Flags, MusterCommand } from '../../cli/command.ts'
import { linesOf, textOf } from '../../platform/streams.ts'
import { paint, type Color } from '../../cli/render/style.ts'
import { errorFromBody, MusterError, type ErrorBody } from '../../core/kernel/errors.ts'

interface LogLine {
  task: string
  node: string
  stream: string
  line: string
  time?: number
}

const COLORS: readonly Color[] = ['cyan', 'green', 'yellow', 'blue']

export default class TwLogs extends MusterCommand {
  static override summary = 'Print what tasks wrote, of all of them interleaved.'
  static override args = { target: Args.string({ description: 'JOB, JOB/GROUP, JOB/GROUP[INDEX]', required: true }) }
  static override flags = {
    follow: Flags.boolean({ char: 'f', description: 'go on with what is written from now on' }),
    lines: Flags.integer({ char: 'n', description: 'so many last lines of each task', default: 100, min: 0 }),
    grep: Flags.string({ description: 'only lines that match', helpValue: 'REGEXP' }),
    stream: Flags.string({ description: 'only this stream', options: ['out', 'err', 'all'], default: 'all' }),
  }
  static override examples = [
    '<%= config.bin %> tw logs web',
    '<%= config.bin %> tw logs web -f --grep error',
    "<%= config.bin %> tw logs 'web/api[3]' -n 20 --stream err",
  ]

  async run(): Promise<void> {
    const { args, flags } = await this.start(TwLogs)
    const signal = this.interrupted()
    const query = new URLSearchParams({ target: args.target ?? '', n: String(flags.lines), stream: flags.stream ?? 'all' })
    if (flags.follow) query.set('follow', '1')
    if (flags.grep !== undefined) query.set('grep', flags.grep)
    const response = await this.client.request('GET', `/v1/tw/logs?${query}`, { signal })
    if (response.statusCode !== 200) throw await refusalOf(response)
    const colors = new Map<string, Color>()
    try {
      for await (const text of linesOf(response)) {
        const line = JSON.parse(text) as LogLine
        if (this.isMachine) this.print(JSON.stringify(line))
        else if (line.stream === 'muster') this.note(`${line.task}: ${line.line}`)
        else this.print(`${paint(this.view, colorOf(line.task, colors), line.task)} ${line.line}`)
      }
    } catch (error) {
      if (!signal.aborted) throw error
    }
  }
}

function colorOf(task: string, colors: Map<string, Color>): Color {
  const color = colors.get(task) ?? COLORS[colors.size % COLORS.length] ?? 'cyan'
  colors.set(task, color)
  return color
}

async function refusalOf(response: AsyncIterable<Buffer>): Promise<Error> {
  const text = await textOf(response)
  try {
    return errorFromBody((JSON.parse(text) as { error: ErrorBody }).error)
  } catch {
    return new MusterError('UNAVAILABLE', `the server answered something else: ${text.slice(0, 200)}`)
  }
}
