import type { Client } from '../../cli/client.ts'
import type { View } from '../../cli/terminal.ts'
import type { Asked } from '../../core/scuba/saved/schema.ts'
import type { DiffAnswer, PanelAnswer, QueryAnswer, TableInfo } from '../../core/scuba/wire-types.ts'
import { openFullScreen } from '../full-screen.ts'
import { ScubaExploreScreen, type ExploreSource } from './screen.tsx'

/** Shows the explorer until it is left. */
export function openScubaExplore(options: {
  client: Client
  context: string
  view: View
  asked: Asked
  signal: AbortSignal
}): Promise<void> {
  const { client, context, view, asked } = options
  return openFullScreen(({ signal, quit }) => {
    const ask = async <T,>(name: string, input: object): Promise<T> => (await client.call<T>(name, input, { signal })).data
    const source: ExploreSource = {
      context,
      clock: Date.now,
      tables: async () => (await ask<{ tables: TableInfo[] }>('scuba.table.list', {})).tables,
      panel: (request) => ask<PanelAnswer>('scuba.panel', request),
      query: (request) => ask<QueryAnswer>('scuba.query', request),
      diff: (request) => ask<DiffAnswer>('scuba.diff', request),
    }
    return <ScubaExploreScreen source={source} asked={asked} hasColor={view.hasColor} onQuit={quit} />
  }, options.signal)
}
