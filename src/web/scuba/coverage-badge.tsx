import type { JSX } from 'preact'
import type { Coverage, PanelAnswer } from '../../core/scuba/wire-types.ts'
import { badgeOf } from './coverage.ts'

interface Answered {
  coverage: Coverage
  rowsScanned: number
  elapsedMs: number
  accuracy?: PanelAnswer['accuracy'] | undefined
}

/** Part of what it stands beside, not something to point at. */
export function CoverageBadge({ of, isLoading = false }: { of: Answered | null; isLoading?: boolean }): JSX.Element {
  const badge = of === null ? null : badgeOf(of, Date.now())
  return (
    <span class={`coverage ${badge?.kind ?? ''}`}>
      <span class={`spinner ${isLoading ? 'on' : ''}`} aria-hidden="true" />
      {badge?.text ?? '…'}
      {badge?.notes.map((note) => (
        <small key={note}> · {note}</small>
      ))}
    </span>
  )
}
