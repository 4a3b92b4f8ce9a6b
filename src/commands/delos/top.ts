import { Flags } from '../../cli/command.ts'
import { STORE_FLAGS, StoreCommand } from '../../cli/delos/store-command.ts'
import { watchEvery } from '../../cli/follow/every.ts'
import { storeOptions } from '../../cli/flags/store.ts'
import { SORTS } from '../../cli/delos/top-sort.ts'

export default class DelosTop extends StoreCommand {
  static override summary = 'Watch a store at work: appends, batches, commits, disks, lag, hot keys, watchers, leases.'
  static override description =
    'A screen on a terminal; keys: s sort, p pause, ? help, q quit. Elsewhere, or with --plain, a picture as text each time; with --json one object a line.'
  static override flags = {
    every: Flags.string({ description: 'how often', default: '1s', helpValue: 'TIME' }),
    sort: Flags.option({ options: SORTS, default: 'name' as const, description: 'which servers come first' })(),
    plain: Flags.boolean({ description: 'text, no screen' }),
    once: Flags.boolean({ description: 'one picture, then end' }),
    ...STORE_FLAGS,
  }
  static override examples = [
    '<%= config.bin %> delos top',
    '<%= config.bin %> delos top --endpoints http://127.0.0.1:2379 --once',
    '<%= config.bin %> delos top --json --every 5s',
  ]

  async run(): Promise<void> {
    const { flags } = await this.start(DelosTop)
    const store = storeOptions(flags)
    const everyMs = watchEvery.everyMs(flags.every)
    const signal = this.interrupted()
    if (this.isScreen && !flags.plain && !flags.once) {
      const { openDelosTop } = await import('../../tui/delos-top/open.tsx')
      return openDelosTop({ store, everyMs, sort: flags.sort, hasColor: this.view.hasColor, signal })
    }
    const { renderTop } = await import('../../cli/render/delos-top.ts')
    const { followStore } = await import('../../cli/delos/top.ts')
    for await (const news of followStore(store, everyMs, signal)) {
      if (flags.once && 'frame' in news) return this.answer(this.dottedId, news.frame, (frame, view) => renderTop(frame, flags.sort, view))
      if ('trouble' in news) this.note(`▲ ${news.trouble}`)
      else if (this.isMachine) this.print(JSON.stringify({ type: 'snapshot', ...news.frame }))
      else this.print(`${renderTop(news.frame, flags.sort, this.view)}\n`)
    }
  }
}
