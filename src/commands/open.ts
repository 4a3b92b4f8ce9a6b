import { Args, Flags, MusterCommand } from '../cli/command.ts'
import { renderOpened, type Opened } from '../cli/render/opened.ts'
import { MusterError } from '../core/kernel/errors.ts'

export default class Open extends MusterCommand {
  static override summary = 'Open a page of the fleet in the browser: its log, or its key-value store.'
  static override description =
    'Prints a link that lets one browser in, once, within a minute, and opens it where there is a display. The pages only look. They are at 127.0.0.1 of the ' +
    "server's machine, at a free port, while somebody is in; a browser stays for 12 hours, at most until `muster down`."
  static override args = {
    page: Args.string({
      description: 'the chain of the logs and their newest entries, or the keys',
      options: ['log', 'store'],
      default: 'log',
    }),
  }
  static override flags = {
    browser: Flags.boolean({ description: 'open it in a browser, not only print the link', allowNo: true, default: true }),
  }
  static override examples = ['<%= config.bin %> open', '<%= config.bin %> open store', '<%= config.bin %> open log --no-browser']

  async run(): Promise<void> {
    const { args, flags } = await this.start(Open)
    if (this.client.target.socketPath === undefined)
      throw new MusterError('USAGE', 'the pages of a server are opened on its own machine', {
        hint: 'Run `muster open` there, in its local context; from elsewhere through `ssh -L PORT:127.0.0.1:PORT`.',
      })
    const { data } = await this.client.call<Opened>('web.codes', { page: args.page })
    const { startBrowser } = await import('../cli/browser.ts')
    const isStarted = flags.browser && !this.isMachine && (await startBrowser(data.url))
    await this.answer('open', data, (opened) => renderOpened(opened, { now: Date.now(), isStarted }))
  }
}
