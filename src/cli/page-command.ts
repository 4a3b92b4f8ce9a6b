import { startBrowser } from './browser.ts'
import { Flags, MusterCommand } from './command.ts'
import { renderOpened, type Opened } from './render/opened.ts'
import { MusterError } from '../core/kernel/errors.ts'

/** A command that lets a browser in, to one page. */
export abstract class PageCommand extends MusterCommand {
  static override flags = {
    browser: Flags.boolean({ description: 'open it in a browser, not only print the link', allowNo: true, default: true }),
  }

  /** @param query of the page's address, without `?` */
  protected async openPage(page: string, query: string, { browser }: { browser: boolean }): Promise<void> {
    if (this.client.target.socketPath === undefined)
      throw new MusterError('USAGE', 'the pages of a server are opened on its own machine', {
        hint: 'Run `muster open` there, in its local context; from elsewhere through `ssh -L PORT:127.0.0.1:PORT`.',
      })
    const { data } = await this.client.call<Opened>('web.codes', { page, query })
    const isStarted = browser && !this.isMachine && (await startBrowser(data.url))
    await this.answer(this.dottedId, data, (opened) => renderOpened(opened, { now: Date.now(), isStarted }))
  }
}
