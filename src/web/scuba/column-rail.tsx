import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import { whereOf } from '../../core/scuba/saved/command.ts'
import type { Asked } from '../../core/scuba/saved/schema.ts'
import type { PanelAnswer, PlainValue } from '../../core/scuba/wire-types.ts'
import { useAsked } from '../live/use-asked.ts'
import { askPanel } from './ask-store.ts'
import { plainText } from '../../core/scuba/explore/conditions.ts'
import { short, valueText } from './numbers.ts'
import { timesOf } from '../../core/scuba/explore/range.ts'
import { isNumeric } from './rows.ts'

const RESERVED = new Set(['time', 'ingest_time', 'time_source', 'time_original', '_rest'])
const VALUES_SHOWN = 12
const EVERY_MS = 15_000

export interface ColumnRailProps {
  asked: Asked
  /** name → type */
  columns: Readonly<Record<string, string>>
  onFilter: (column: string, value: PlainValue, isNot: boolean) => void
  onGroup: (column: string) => void
  onCalc: (calc: string) => void
  onHeat: (column: string) => void
}

/** The columns of the table; an open one shows its top values in the range. */
export function ColumnRail(props: ColumnRailProps): JSX.Element {
  const [open, setOpen] = useState<string | null>(null)
  const [wanted, setWanted] = useState('')
  const names = Object.keys(props.columns).filter((name) => !RESERVED.has(name) && name.toLowerCase().includes(wanted.toLowerCase()))
  return (
    <nav class="rail" aria-label="Columns">
      <label class="visually-hidden" for="find-column">
        Find a column
      </label>
      <input
        id="find-column"
        type="search"
        placeholder="Columns"
        value={wanted}
        onInput={(event) => setWanted(event.currentTarget.value)}
      />
      <ul>
        {names.map((name) => (
          <li key={name} class={open === name ? 'open' : ''}>
            <button type="button" class="column" aria-expanded={open === name} onClick={() => setOpen(open === name ? null : name)}>
              <span class="type" aria-hidden="true">
                {isNumeric(props.columns[name] ?? '') ? '#' : props.columns[name] === 'BOOLEAN' ? '◐' : 'a'}
              </span>
              <span class="name">{name}</span>
              {(props.asked.by ?? []).includes(name) && <small>by</small>}
            </button>
            {open === name && <OpenColumn {...props} name={name} type={props.columns[name] ?? ''} />}
          </li>
        ))}
      </ul>
      {names.length === 0 && (
        <p class="empty">{Object.keys(props.columns).length === 0 ? 'No columns.' : 'No column has that in its name.'}</p>
      )}
    </nav>
  )
}

const FIGURES = ['min', 'p50', 'avg', 'p99', 'max'] as const

function OpenColumn({
  asked,
  name,
  type,
  onFilter,
  onGroup,
  onCalc,
  onHeat,
}: ColumnRailProps & { name: string; type: string }): JSX.Element {
  const isNumber = isNumeric(type)
  const calc = isNumber ? ['count', ...FIGURES.map((figure) => `${figure}:${name}`)] : ['count']
  const load = (signal: AbortSignal): Promise<{ top: PanelAnswer; whole: PanelAnswer }> => loadColumn(asked, name, calc, signal)
  const { data, error } = useAsked(JSON.stringify([asked.table, asked.where, asked.since, asked.until, name]), load, EVERY_MS)
  const all = data?.whole.groups[0]?.values['count'] ?? 0
  return (
    <div class="column-body">
      <p class="acts">
        <button type="button" class="tiny" onClick={() => onGroup(name)}>
          group by
        </button>
        {isNumber ? (
          <>
            <button type="button" class="tiny" onClick={() => onCalc(`p99:${name}`)}>
              p99
            </button>
            <button type="button" class="tiny" onClick={() => onCalc(`avg:${name}`)}>
              avg
            </button>
            <button type="button" class="tiny" onClick={() => onHeat(name)}>
              heat map
            </button>
          </>
        ) : (
          <button type="button" class="tiny" onClick={() => onCalc(`distinct:${name}`)}>
            distinct
          </button>
        )}
      </p>
      {error !== null && <p class="bad">{error.message}</p>}
      {isNumber && data !== null && (
        <dl class="figures">
          {FIGURES.map((figure) => (
            <div key={figure}>
              <dt>{figure}</dt>
              <dd>{valueText(data.whole.groups[0]?.values[`${figure}:${name}`], `${figure}:${name}`)}</dd>
            </div>
          ))}
        </dl>
      )}
      <ul class="values">
        {data?.top.groups.map((group) => {
          const value = group.key[name] ?? null
          const share = all > 0 ? (group.values['count'] ?? 0) / all : 0
          const text = group.isOther ? 'other' : plainText(value)
          return (
            <li key={text}>
              <i class="bar" style={{ width: `${Math.max(1, share * 100)}%` }} aria-hidden="true" />
              {group.isOther ? (
                <span class="value">{text}</span>
              ) : (
                <button
                  type="button"
                  class="value"
                  title={text}
                  aria-label={`only ${name} ${text}`}
                  onClick={() => onFilter(name, value, false)}
                >
                  {text}
                </button>
              )}
              <span class="share">{short(share * 100)} %</span>
              {!group.isOther && (
                <button type="button" class="tiny" aria-label={`without ${name} ${text}`} onClick={() => onFilter(name, value, true)}>
                  ≠
                </button>
              )}
            </li>
          )
        })}
      </ul>
      {data !== null && data.top.groups.length === 0 && <p class="empty">No rows.</p>}
    </div>
  )
}

async function loadColumn(
  asked: Asked,
  name: string,
  calc: string[],
  signal: AbortSignal,
): Promise<{ top: PanelAnswer; whole: PanelAnswer }> {
  const { table = '', where = [] } = asked
  const common = { table, ...timesOf(asked, Date.now()), ...(where.length > 0 ? { where: whereOf(where) } : {}) }
  const [top, whole] = await Promise.all([
    askPanel({ ...common, calc: ['count'], by: [name], top: VALUES_SHOWN, other: true }, signal),
    askPanel({ ...common, calc }, signal),
  ])
  return { top, whole }
}
