import type { JSX } from 'preact'
import { Scroll } from '../shell/scroll.tsx'
import { useState } from 'preact/hooks'
import type { TraceAnswer, TraceSpan } from '../../core/scuba/wire-types.ts'
import { ask } from '../live/api.ts'
import { useAsked } from '../live/use-asked.ts'
import { Shell } from '../shell/shell.tsx'
import { count, dateTime } from '../shell/text.ts'
import { useColours } from './colours.ts'
import { plainText } from '../../core/scuba/explore/conditions.ts'
import { CoverageBadge } from './coverage-badge.tsx'
import { milliseconds } from './numbers.ts'
import { StateBox } from './state-box.tsx'
import { SPANS_MAX, waterfall } from './waterfall.ts'

const HELP = [
  { keys: '↑ ↓', does: 'from span to span' },
  { keys: 'Enter', does: 'on a span: what is known of it' },
]

/** The page `trace`: what one request did, span by span, and the rows of other tables that carry its id. */
export function TracePage(): JSX.Element {
  const [id, setId] = useState(() => new URLSearchParams(location.search).get('id') ?? '')
  const { data, error, isLoading } = useAsked(
    id === '' ? null : id,
    async (signal) => (await ask<TraceAnswer>('scuba.trace', { trace: id }, signal)).data,
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
          setId(wanted)
        }}
      >
        <label for="trace">Id</label>
        <input id="trace" name="trace" type="text" spellcheck={false} autocomplete="off" defaultValue={id} />
        <button type="submit">Show</button>
        <CoverageBadge of={data} isLoading={isLoading} />
      </form>
      {id === '' && <p class="empty">Rows of requests carry the id of their trace: open one in the explorer, or put an id here.</p>}
      {id !== '' && (data === null || error !== null) && <StateBox height={160} error={error} isLoading={isLoading} />}
      {data !== null && error === null && <Spans answer={data} />}
      {data !== null && error === null && <Rows answer={data} />}
    </Shell>
  )
}

function Spans({ answer }: { answer: TraceAnswer }): JSX.Element {
  const [open, setOpen] = useState<string | null>(null)
  const colours = useColours()
  const { bars, ticks, services, isCut } = waterfall(answer)
  if (bars.length === 0) return <p class="empty">No spans of this trace are kept{answer.rows.length > 0 ? ', only these rows' : ''}.</p>
  return (
    <section class="card" aria-label="Spans">
      <header class="card-head">
        <h2>
          {dateTime(answer.startMs)}{' '}
          <small>
            {milliseconds(answer.durationMs)}, {count(answer.spans.length)} spans
          </small>
        </h2>
        <span class="services">
          {services.map((service, i) => (
            <span key={service}>
              <i class="swatch" style={{ background: colours.line(i) }} /> {service === '' ? 'no service' : service}
            </span>
          ))}
        </span>
      </header>
      <div class="waterfall" onKeyDown={moveFocus}>
        <div class="span-row axis" aria-hidden="true">
          <span />
          <span class="track">
            {ticks.map(({ left, label }) => (
              <i key={label} style={{ left: `${left * 100}%` }}>
                {label}
              </i>
            ))}
          </span>
        </div>
        {bars.map(({ span, left, width, service }) => (
          <div key={span.id}>
            <button
              type="button"
              class={`span-row ${span.isError ? 'failed' : ''}`}
              aria-expanded={open === span.id}
              aria-label={`${span.name}, ${span.service ?? ''}, ${milliseconds(span.durationMs)}${span.isError ? ', failed' : ''}`}
              onClick={() => setOpen(open === span.id ? null : span.id)}
            >
              <span class={`span-name depth-${Math.min(span.depth, 12)}`}>
                {span.isError && <b class="bad">✖ </b>}
                {span.name} <small>{span.service}</small>
              </span>
              <span class="track">
                <i class="span-bar" style={{ left: `${left * 100}%`, width: `${width * 100}%`, background: colours.line(service) }} />
                <em
                  class={left > 0.75 ? 'before' : ''}
                  style={left > 0.75 ? { right: `${(1 - left) * 100}%` } : { left: `${Math.min(0.98, left + width) * 100}%` }}
                >
                  {milliseconds(span.durationMs)}
                </em>
              </span>
            </button>
            {open === span.id && <Attributes span={span} />}
          </div>
        ))}
      </div>
      {isCut && <p class="notice">▲ The first {count(SPANS_MAX)} spans are shown.</p>}
    </section>
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
            {answer.rows.slice(0, SPANS_MAX).map(({ table, timeMs, text }, i) => (
              <tr key={i}>
                <td>{dateTime(timeMs)}</td>
                <td>{table}</td>
                <td class="what">{text}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </Scroll>
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
