import type { Client } from '../../cli/client.ts'
import { followRollout } from '../../cli/follow/rollout.ts'
import { renderWhy } from '../../cli/render/deploy-why.ts'
import type { View } from '../../cli/terminal.ts'
import type { WatchView, WhyView } from '../../core/deploy/queries.ts'
import { openFullScreen } from '../full-screen.ts'
import { DeployWatchScreen, type WatchSource } from './screen.tsx'

/** Shows a rollout until it is left; gives the last view. */
export async function openDeployWatch(options: {
  client: Client
  rollout: string
  view: View
  isReadOnly: boolean
  signal: AbortSignal
}): Promise<WatchView | null> {
  const { client, rollout, view, isReadOnly } = options
  let last: WatchView | null = null
  await openFullScreen(({ follow, quit }) => {
    const source: WatchSource = {
      follow: (onView, onError) =>
        follow(
          (signal) => followRollout(client, rollout, signal),
          (next) => {
            last = next
            onView(next)
          },
          (error) => onError(`✖ ${error.message}`),
        ),
      act: async (action, shown) => {
        await client.call(`deploy.${action.verb}`, action.input(shown))
        return `● ${action.verb} done`
      },
      why: async (name) => renderWhy((await client.call<WhyView>('deploy.why', { rollout: name })).data, view),
    }
    return <DeployWatchScreen source={source} isReadOnly={isReadOnly} hasColor={view.hasColor} onQuit={quit} />
  }, options.signal)
  return last
}
