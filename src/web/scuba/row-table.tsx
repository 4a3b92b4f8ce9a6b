import type { JSX } from 'preact'
import { Scroll } from '../shell/scroll.tsx'
import { useState } from 'preact/hooks'
import type { PlainValue, QueryAnswer } from '../../core/scuba/wire-types.ts'
import { count } from '../shell/text.ts'
import { clipped } from '../../core/scuba/explore/conditions.ts'
import { cellText, shownColumns, traceOf } from './rows.ts'

/** A table of more rows takes the browser longer to draw than a person waits for. */
const PIECE = 200

export interface RowTableProps {
  answer: Pick<QueryAnswer, 'columns' | 'rows'>
  label: string
  /** a cell was chosen as a condition */
  onFilter?: (column: string, value: PlainValue, isNot: boolean) => void
}

/** Rows as they are; one can be opened, with all of its values and the way to its trace. */
export function RowTable({ answer, label, onFilter }: RowTableProps): JSX.Element {
  const [open, setOpen] = useState<number | null>(null)
  const [shown, setShown] = useState(PIECE)
  const columns = shownColumns(answer)
  const more = Math.min(PIECE, answer.rows.length - shown)
  return (
    <>
      <Scroll label={label} kind="rows">
        <table>
          <thead>
            <tr>
              <th scope="col" aria-label="open" />
              {columns.map(({ name, isNumber }) => (
                <th key={name} scope="col" class={isNumber ? 'number' : ''}>
                  {name}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {answer.rows.slice(0, shown).map((row, i) => {
              const trace = traceOf(answer.columns, row)
              return (
                <>
                  <tr key={i} class={open === i ? 'chosen' : ''}>
                    <td>
                      <button
                        type="button"
                        class="plain"
                        aria-expanded={open === i}
                        aria-label={`row ${i + 1}`}
                        onClick={() => setOpen(open === i ? null : i)}
                      >
                        {open === i ? '▾' : '▸'}
                      </button>
                    </td>
                    {columns.map(({ name, type, at, isNumber }) => (
                      <td key={name} class={isNumber ? 'number' : ''}>
                        {trace !== null && row[at] === trace ? (
                          <a href={`/trace?id=${encodeURIComponent(trace)}`}>{trace.slice(0, 12)}…</a>
                        ) : (
                          clipped(cellText(row[at], type))
                        )}
                      </td>
                    ))}
                  </tr>
                  {open === i && (
                    <tr class="opened">
                      <td colSpan={columns.length + 1}>
                        <Opened answer={answer} row={row} trace={trace} {...(onFilter === undefined ? {} : { onFilter })} />
                      </td>
                    </tr>
                  )}
                </>
              )
            })}
          </tbody>
        </table>
      </Scroll>
      {more > 0 && (
        <p class="empty">
          {count(shown)} of {count(answer.rows.length)} are shown.{' '}
          <button type="button" onClick={() => setShown(shown + PIECE)}>
            {count(more)} more
          </button>
        </p>
      )}
    </>
  )
}

interface OpenedProps {
  answer: RowTableProps['answer']
  row: readonly PlainValue[]
  trace: string | null
  onFilter?: NonNullable<RowTableProps['onFilter']>
}

function Opened({ answer, row, trace, onFilter }: OpenedProps): JSX.Element {
  return (
    <dl class="opened-row">
      {trace !== null && (
        <div>
          <dt>trace</dt>
          <dd>
            <a href={`/trace?id=${encodeURIComponent(trace)}`}>Show the trace of this row</a>
          </dd>
        </div>
      )}
      {answer.columns.map(({ name, type }, at) =>
        row[at] === null || row[at] === undefined ? null : (
          <div key={name}>
            <dt>{name}</dt>
            <dd>
              <code>{cellText(row[at], type)}</code>
              {onFilter !== undefined && !type.startsWith('TIMESTAMP') && (
                <span class="acts">
                  <button
                    type="button"
                    class="tiny"
                    aria-label={`only ${name} ${cellText(row[at], type)}`}
                    onClick={() => onFilter(name, row[at] ?? null, false)}
                  >
                    only
                  </button>
                  <button
                    type="button"
                    class="tiny"
                    aria-label={`without ${name} ${cellText(row[at], type)}`}
                    onClick={() => onFilter(name, row[at] ?? null, true)}
                  >
                    not
                  </button>
                </span>
              )}
            </dd>
          </div>
        ),
      )}
    </dl>
  )
}
