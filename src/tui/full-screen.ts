import { render } from 'ink'
import type { ReactElement } from 'react'

/** What a screen that fills the terminal may ask of it. */
export interface FullScreen {
  /** aborted when the screen is left */
  signal: AbortSignal
  /** the user is done */
  quit: () => void
  /** Hands on what `news` gives until it is told to stop. What it throws is told to `onError`; without that it ends the screen. */
  follow: <T>(news: (signal: AbortSignal) => AsyncIterable<T>, onNews: (it: T) => void, onError?: (error: Error) => void) => () => void
}

/** Shows what `draw` gives on the terminal's other screen until it is left. Rejects with what ended it, such as that nobody was ever reached. */
export async function openFullScreen(draw: (screen: FullScreen) => ReactElement, signal?: AbortSignal): Promise<void> {
  const end = new AbortController()
  const both = signal === undefined ? end.signal : AbortSignal.any([signal, end.signal])
  let failure: unknown = null
  let isLeft = false
  const leave = (): void => {
    isLeft = true
    app.unmount()
  }
  const screen: FullScreen = {
    signal: both,
    quit: leave,
    follow: (news, onNews, onError) => {
      const stop = new AbortController()
      void (async () => {
        try {
          for await (const it of news(AbortSignal.any([both, stop.signal]))) onNews(it)
        } catch (error) {
          if (onError) return onError(error as Error)
          failure = error
          leave()
        }
      })()
      return () => stop.abort()
    },
  }
  const app = render(draw(screen), { alternateScreen: true, exitOnCtrlC: true, patchConsole: false })
  signal?.addEventListener('abort', () => app.unmount(), { once: true })
  await app.waitUntilExit()
  end.abort()
  if (failure !== null) throw failure
  // Ctrl-C is a key to a screen, not a signal; to a script around it, it is the same.
  if (!isLeft) process.exitCode ??= 130
}
