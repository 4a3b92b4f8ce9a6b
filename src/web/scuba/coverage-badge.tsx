import type { JSX } from 'preact'
import type { Coverage, PanelAnswer } from '../../core/scuba/wire-types.ts'
import { useNow } from '../live/use-now.ts'
import { badgeOf, type Badge } from './coverage.ts'

interface Answered {
  coverage: Coverage
  rowsScanned: number
  elapsedMs: number
  accuracy?: PanelAnswer['accuracy'] | undefined
}

const badgeFor = (of: Answered | null, now: number): Badge | null => (of === null ? null : badgeOf(of, now))

/** Part of what it stands beside, not something to point at. */
export function CoverageBadge({ of, isLoading = false }: { of: Answered | null; isLoading?: boolean }): JSX.Element {
  const badge = badgeFor(of, useNow())
  return (
    <span class={`coverage ${badge?.kind ?? ''}`}>
      <span class={`spinner ${isLoading ? 'on' : ''}`} aria-hidden="true" />
      {badge?.text ?? (isLoading ? '…' : '')}
      {badge?.notes.map((note) => (
        <small key={note}> · {note}</small>
      ))}
    </span>
  )
}
