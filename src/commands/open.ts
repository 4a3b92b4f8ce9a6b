import { Args } from '../cli/command.ts'
import { PageCommand } from '../cli/page-command.ts'

export default class Open extends PageCommand {
  static override summary = 'Open a page of the fleet in the browser: what its services do, its log, its key-value store.'
  static override description =
    'Prints a link that lets one browser in, once, within a minute, and opens it where there is a display. The pages only look. They are at 127.0.0.1 of the ' +
    "server's machine, at a free port, while somebody is in; a browser stays for 12 hours, at most until `muster down`."
  static override args = {
    page: Args.string({
      description: 'the explorer of rows, SQL, boards, objectives, alerts, a trace; the chain of the logs; the keys',
      options: ['scuba', 'sql', 'boards', 'slo', 'alerts', 'trace', 'log', 'store'],
      default: 'log',
    }),
  }
  static override flags = PageCommand.flags
  static override examples = [
    '<%= config.bin %> open',
    '<%= config.bin %> open scuba',
    '<%= config.bin %> open store',
    '<%= config.bin %> open log --no-browser',
  ]

  async run(): Promise<void> {
    const { args, flags } = await this.start(Open)
    await this.openPage(args.page, '', flags)
  }
}
