import { render } from 'ink'
import type { Client } from '../../cli/client.ts'
import { followRollout } from '../../cli/follow/rollout.ts'
import { renderWhy } from '../../cli/render/deploy-why.ts'
import type { View } from '../../cli/terminal.ts'
import type { WatchView, WhyView } from '../../core/deploy/queries.ts'
import { DeployWatchScreen, type WatchSource } from './screen.tsx'

/** Shows a rollout on the terminal's other screen until it is left; gives the last view. */
export async function openDeployWatch(options: {
  client: Client
  rollout: string
  view: View
  isReadOnly: boolean
  signal: AbortSignal
}): Promise<WatchView | null> {
  const { client, rollout, view } = options
  const end = new AbortController()
  const signal = AbortSignal.any([options.signal, end.signal])
  let last: WatchView | null = null
  const source: WatchSource = {
    follow: (onView, onError) => {
      const stop = new AbortController()
      void (async () => {
        try {
          for await (const next of followRollout(client, rollout, AbortSignal.any([signal, stop.signal]))) {
            last = next
            onView(next)
          }
        } catch (error) {
          onError(`✖ ${(error as Error).message}`)
        }
      })()
      return () => stop.abort()
    },
    act: async (action, shown) => {
      await client.call(`deploy.${action.verb}`, action.input(shown))
      return `● ${action.verb} done`
    },
    why: async (name) => renderWhy((await client.call<WhyView>('deploy.why', { rollout: name })).data, view),
  }
  let isLeft = false
  const onQuit = (): void => {
    isLeft = true
    app.unmount()
  }
  const app = render(<DeployWatchScreen source={source} isReadOnly={options.isReadOnly} hasColor={view.hasColor} onQuit={onQuit} />, {
    alternateScreen: true,
    exitOnCtrlC: true,
    patchConsole: false,
  })
  options.signal.addEventListener('abort', () => app.unmount(), { once: true })
  await app.waitUntilExit()
  // Ctrl-C is a key to a screen, not a signal; to a script around it, it is the same.
  if (!isLeft) process.exitCode ??= 130
  end.abort()
  return last
}
