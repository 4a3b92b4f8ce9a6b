import type { ChannelOptions } from '../../client/channel.ts'
import { followStore } from '../../cli/delos/top.ts'
import type { Sort } from '../../cli/delos/top-sort.ts'
import { openFullScreen } from '../full-screen.ts'
import { TopScreen, type TopSource } from './screen.tsx'

/** Shows a store until it is left. Rejects when it was never reached. */
export function openDelosTop(options: {
  store: ChannelOptions
  everyMs: number
  sort: Sort
  hasColor: boolean
  signal: AbortSignal
}): Promise<void> {
  return openFullScreen(({ follow, quit }) => {
    const source: TopSource = {
      follow: (onNews) => follow((signal) => followStore(options.store, options.everyMs, signal), onNews),
    }
    return <TopScreen source={source} hasColor={options.hasColor} sort={options.sort} onQuit={quit} />
  }, options.signal)
}
