import { render } from 'ink'
import type { ChannelOptions } from '../../client/channel.ts'
import { followStore } from '../../cli/delos/top.ts'
import type { Sort } from '../../cli/delos/top-sort.ts'
import { TopScreen, type TopSource } from './screen.tsx'

/** Shows a store on the terminal's other screen until it is left. Rejects when it was never reached. */
export async function openDelosTop(options: {
  store: ChannelOptions
  everyMs: number
  sort: Sort
  hasColor: boolean
  signal: AbortSignal
}): Promise<void> {
  const end = new AbortController()
  const signal = AbortSignal.any([options.signal, end.signal])
  let failure: unknown = null
  let isLeft = false
  const source: TopSource = {
    follow: (onNews) => {
      const stop = new AbortController()
      void (async () => {
        try {
          for await (const news of followStore(options.store, options.everyMs, AbortSignal.any([signal, stop.signal]))) onNews(news)
        } catch (error) {
          failure = error
          isLeft = true
          app.unmount()
        }
      })()
      return () => stop.abort()
    },
  }
  const onQuit = (): void => {
    isLeft = true
    app.unmount()
  }
  const app = render(<TopScreen source={source} hasColor={options.hasColor} sort={options.sort} onQuit={onQuit} />, {
    alternateScreen: true,
    exitOnCtrlC: true,
    patchConsole: false,
  })
  options.signal.addEventListener('abort', () => app.unmount(), { once: true })
  await app.waitUntilExit()
  end.abort()
  if (failure !== null) throw failure
  // Ctrl-C is a key to a screen, not a signal; to a script around it, it is the same.
  if (!isLeft) process.exitCode ??= 130
}
