import type { JSX } from 'preact'
import { Scroll } from '../shell/scroll.tsx'
import { useEffect, useMemo, useState } from 'preact/hooks'
import type { TraceAnswer, TraceSpan } from '../../core/scuba/wire-types.ts'
import { ApiError, ask } from '../live/api.ts'
import { useAsked } from '../live/use-asked.ts'
import { Shell } from '../shell/shell.tsx'
import { count, dateTime } from '../shell/text.ts'
import { useColours } from './colours.ts'
import { clipped, plainText } from '../../core/scuba/explore/conditions.ts'
import { CoverageBadge } from './coverage-badge.tsx'
import { milliseconds } from './numbers.ts'
import { StateBox } from './state-box.tsx'
import { waterfall, type Bar } from './waterfall.ts'

const HELP = [
  { keys: '↑ ↓', does: 'from span to span' },
  { keys: 'Enter', does: 'on a span: what is known of it' },
]

const FURTHER_MS = 30 * 86_400_000

/** In the words of a page, which has no flags. */
function nothingOf({ code, message }: ApiError, isFurther: boolean): ApiError {
  return new ApiError(code, message, isFurther ? 'Its rows may be older, or thinned.' : 'The last day was looked through.')
}

/** The page `trace`: what one request did, span by span, and the rows of other tables that carry its id. */
export function TracePage(): JSX.Element {
  const [id, setId] = useState(() => new URLSearchParams(location.search).get('id') ?? '')
  const [isFurther, setFurther] = useState(false)
  const { data, error, isLoading } = useAsked(
    id === '' ? null : `${id} ${isFurther}`,
    async (signal) => (await ask<TraceAnswer>('scuba.trace', { trace: id, ...(isFurther ? { lastMs: FURTHER_MS } : {}) }, signal)).data,
    null,
  )
  return (
    <Shell page="trace" link={error?.code === 'SESSION_OVER' ? 'over' : 'live'} error={null} warnings={[]} help={HELP} isWide>
      <h1>Trace</h1>
      <form
        class="prefix"
        onSubmit={(event) => {
          event.preventDefault()
          const wanted = (event.currentTarget.elements.namedItem('trace') as HTMLInputElement).value.trim()
          history.pushState(null, '', `/trace?id=${encodeURIComponent(wanted)}`)
          setFurther(false)
          setId(wanted)
        }}
      >
        <label for="trace">Id</label>
        <input id="trace" name="trace" type="text" spellcheck={false} autocomplete="off" defaultValue={id} />
        <button type="submit">Show</button>
        <CoverageBadge of={data} isLoading={isLoading} />
      </form>
      {id === '' && <p class="empty">Rows of requests carry the id of their trace: open one in the explorer, or put an id here.</p>}
      {id !== '' && (data === null || error !== null) && (
        <StateBox height={160} error={error?.code === 'NOT_FOUND' ? nothingOf(error, isFurther) : error} isLoading={isLoading} />
      )}
      {error?.code === 'NOT_FOUND' && !isFurther && (
        <p>
          <button type="button" onClick={() => setFurther(true)}>
            Look through the last 30 days
          </button>
        </p>
      )}
      {data !== null && error === null && <Spans answer={data} />}
      {data !== null && error === null && <Rows answer={data} />}
    </Shell>
  )
}

/** So many spans are one piece of the page: drawn at once, and skipped by the browser while they are not seen. */
const PIECE = 100

function Spans({ answer }: { answer: TraceAnswer }): JSX.Element {
  const colours = useColours()
  const { bars, ticks, services, named, unnamed } = useMemo(() => waterfall(answer), [answer])
  const pieces = useMemo(
    () =>
      Array.from({ length: Math.ceil(bars.length / PIECE) }, (_, i) => (
        <div key={i} class="span-piece">
          {bars.slice(i * PIECE, (i + 1) * PIECE).map((bar) => (
            <SpanRow key={bar.span.id} bar={bar} colour={colours.line(bar.service)} />
          ))}
        </div>
      )),
    [bars, colours],
  )
  const drawn = useBitByBit(pieces.length)
  if (bars.length === 0) return <p class="empty">No spans of this trace are kept{answer.rows.length > 0 ? ', only these rows' : ''}.</p>
  return (
    <section class="card" aria-label="Spans">
      <header class="card-head">
        <h2>
          {dateTime(answer.startMs)}{' '}
          <small>
            {milliseconds(answer.durationMs)}, {count(answer.spans.length)} {answer.spans.length === 1 ? 'span' : 'spans'}
          </small>
        </h2>
        <span class="services">
          {named.map((i) => (
            <span key={i}>
              <i class="swatch" style={{ background: colours.line(i) }} /> {services[i] === '' ? 'no service' : services[i]}
            </span>
          ))}
          {unnamed > 0 && <span>and {unnamed} more</span>}
        </span>
      </header>
      <div class="waterfall" onKeyDown={moveFocus}>
        <div class="span-row axis" aria-hidden="true">
          <span />
          <span class="track">
            {ticks.map(({ left, label }) => (
              <i key={left} style={{ left: `${left * 100}%` }}>
                {label}
              </i>
            ))}
          </span>
        </div>
        {pieces.slice(0, drawn)}
      </div>
    </section>
  )
}

/** Grows from 1 to `all`, one a turn of the browser: what is long is seen at once and never holds a key up. */
function useBitByBit(all: number): number {
  const [drawn, setDrawn] = useState(1)
  useEffect(() => {
    if (drawn >= all) return
    const timer = setTimeout(() => setDrawn(drawn + 1))
    return () => clearTimeout(timer)
  }, [drawn, all])
  return drawn
}

const INDENTS = 7

function SpanRow({ bar, colour }: { bar: Bar; colour: string }): JSX.Element {
  const { span, left, width, label } = bar
  const [isOpen, setOpen] = useState(false)
  const [end, right] = [left + width, 1 - left - width]
  const place = { after: { left: `${end * 100}%` }, before: { right: `${(1 - left) * 100}%` }, inside: { right: `${right * 100}%` } }
  return (
    <>
      <button
        type="button"
        class={`span-row ${span.isError ? 'failed' : ''}`}
        aria-expanded={isOpen}
        aria-label={`${span.name}, ${span.service ?? ''}, ${milliseconds(span.durationMs)}${span.isError ? ', failed' : ''}`}
        onClick={() => setOpen(!isOpen)}
      >
        <span class={`span-name depth-${Math.min(span.depth, INDENTS)}`}>
          {span.depth > INDENTS && <small>{span.depth}· </small>}
          {span.isError && <b class="bad">✖ </b>}
          {span.name} <small>{span.service}</small>
        </span>
        <span class="track">
          <i class="span-bar" style={{ left: `${left * 100}%`, width: `${width * 100}%`, background: colour }} />
          <em class={label} style={place[label]}>
            {milliseconds(span.durationMs)}
          </em>
        </span>
      </button>
      {isOpen && <Attributes span={span} />}
    </>
  )
}

function Attributes({ span }: { span: TraceSpan }): JSX.Element {
  const facts = [
    ['span', span.id],
    ['parent', span.parent ?? 'none'],
    ['began', dateTime(span.startMs)],
    ...Object.entries(span.attributes).map(([name, value]) => [name, plainText(value)]),
  ]
  return (
    <dl class="opened-row">
      {facts.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>
            <code>{value}</code>
          </dd>
        </div>
      ))}
    </dl>
  )
}

const ROWS_SHOWN = 200

function Rows({ answer }: { answer: TraceAnswer }): JSX.Element {
  if (answer.rows.length === 0) return <></>
  return (
    <>
      <h2>Rows with its id</h2>
      <Scroll label="Rows with its id">
        <table>
          <thead>
            <tr>
              <th scope="col">time</th>
              <th scope="col">table</th>
              <th scope="col">what</th>
            </tr>
          </thead>
          <tbody>
            {answer.rows.slice(0, ROWS_SHOWN).map(({ table, timeMs, text }, i) => (
              <tr key={i}>
                <td>{dateTime(timeMs)}</td>
                <td>{table}</td>
                <td class="what">{clipped(text)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </Scroll>
      {answer.rows.length > ROWS_SHOWN && (
        <p class="empty">
          The first {count(ROWS_SHOWN)} of {count(answer.rows.length)} rows.
        </p>
      )}
    </>
  )
}

/** Up and down go from span to span, as Tab does. */
function moveFocus(event: KeyboardEvent): void {
  const step = event.key === 'ArrowDown' ? 1 : event.key === 'ArrowUp' ? -1 : 0
  if (step === 0) return
  const rows = [...(event.currentTarget as HTMLElement).querySelectorAll<HTMLElement>('button.span-row')]
  const next = rows[rows.indexOf(document.activeElement as HTMLElement) + step]
  if (next === undefined) return
  event.preventDefault()
  next.focus()
}
