import type { JSX } from 'preact'
import { clockTime } from '../shell/text.ts'
import type { Span } from './chart.tsx'
import type { Tab } from './explore-state.ts'

interface MarkBarProps {
  hasChart: boolean
  mark: Span | null
  only: readonly string[]
  onZoom: () => void
  onTab: (tab: Tab) => void
  onForget: () => void
}

/** What is marked, and what can be done with it. Its room is there before, so that nothing jumps. */
export function MarkBar({ hasChart, mark, only, onZoom, onTab, onForget }: MarkBarProps): JSX.Element {
  if (mark === null && only.length === 0)
    return <p class="mark-bar empty">{hasChart ? 'Drag over the chart to mark a stretch; click a point for its rows.' : ''}</p>
  return (
    <p class="mark-bar">
      {mark !== null && (
        <b>
          {clockTime(mark.fromMs)} – {clockTime(mark.toMs)}
        </b>
      )}
      {only.map((each) => (
        <code key={each}>{each}</code>
      ))}
      {mark !== null && (
        <button type="button" onClick={onZoom}>
          zoom
        </button>
      )}
      <button type="button" onClick={() => onTab('diff')}>
        what is different?
      </button>
      <button type="button" onClick={() => onTab('rows')}>
        rows
      </button>
      <button type="button" onClick={onForget}>
        forget
      </button>
    </p>
  )
}
