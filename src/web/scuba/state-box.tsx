import type { JSX } from 'preact'
import type { ApiError } from '../live/api.ts'

/** In place of a chart, as high as it: asked, nothing there, or refused are three things. */
export function StateBox({ height, error, isLoading }: { height: number; error: ApiError | null; isLoading: boolean }): JSX.Element {
  return (
    <div class={`state-box ${error !== null ? 'refused' : ''}`} style={{ minHeight: `${height}px` }}>
      {error !== null ? (
        <p role="alert">
          <b>✖ {error.message}</b>
          <br />
          <small>
            {error.hint} {error.code}
          </small>
        </p>
      ) : isLoading ? (
        <p>Asking …</p>
      ) : (
        <p>
          <b>∅ No rows</b>
          <br />
          <small>Nothing in this range fits the conditions. A zero would be a line at the bottom.</small>
        </p>
      )}
    </div>
  )
}
