import type { JSX } from 'preact'
import type { Asked } from '../../core/scuba/saved/schema.ts'
import type { View } from '../../core/scuba/saved/views.ts'
import { isNumeric } from './rows.ts'
import { tidy, toggled } from './explore-state.ts'

export interface QueryBarProps {
  asked: Asked
  tables: readonly string[]
  columns: Readonly<Record<string, string>>
  onAsk: (asked: Asked) => void
}

export const RANGES = ['5m', '15m', '1h', '6h', '1d', '7d', '30d'] as const
const STEPS = ['1s', '10s', '1m', '5m', '1h', '1d'] as const
const COMPARES = ['1h', '1d', '1w'] as const
const TOPS = [5, 10, 20, 50] as const

/** The question: of which table, when, which rows, by what, and what is calculated. */
export function QueryBar({ asked, tables, columns, onAsk }: QueryBarProps): JSX.Element {
  const change = (part: Partial<Asked>): void => onAsk(tidy({ ...asked, ...part }))
  const names = Object.keys(columns)
  return (
    <div class="query">
      <div class="query-line">
        <Field label="table" for="table">
          <select
            id="table"
            value={asked.table ?? ''}
            onChange={(event) => onAsk(tidy({ since: asked.since, until: asked.until, table: event.currentTarget.value }))}
          >
            {!tables.includes(asked.table ?? '') && <option value={asked.table ?? ''}>{asked.table ?? '…'}</option>}
            {tables.map((table) => (
              <option key={table} value={table}>
                {table}
              </option>
            ))}
          </select>
        </Field>
        <RangeField
          asked={asked}
          onChange={(times) => onAsk(tidy({ ...asked, since: undefined, until: undefined, step: undefined, ...times }))}
        />
        <Field label="step" for="step">
          <Choice id="step" value={asked.step} words={STEPS} empty="auto" onChange={(step) => change({ step })} />
        </Field>
        <Field label="compare" for="compare">
          <Choice id="compare" value={asked.compare} words={COMPARES} empty="–" before="− " onChange={(compare) => change({ compare })} />
        </Field>
        <Field label="top" for="top">
          <Choice
            id="top"
            value={String(asked.top ?? 10)}
            words={TOPS.map(String)}
            onChange={(top) => change({ top: top === undefined || top === '10' ? undefined : Number(top) })}
          />
        </Field>
        <label class="check">
          <input
            type="checkbox"
            checked={asked.other === true}
            onChange={(event) => change({ other: event.currentTarget.checked || undefined })}
          />{' '}
          other
        </label>
        <ViewChoice asked={asked} columns={columns} onChange={change} />
      </div>
      <div class="query-line">
        <Words
          label="calculate"
          of={asked.calc ?? ['count']}
          onRemove={(calc) => change({ calc: (asked.calc ?? []).filter((each) => each !== calc) })}
        />
        <AddWord
          id="add-calc"
          label="add a calculation"
          list={calcsOf(columns)}
          placeholder="p99:latency_ms"
          onAdd={(calc) =>
            change({
              calc: [...new Set([...(asked.calc ?? ['count']), calc])].slice(0, 6),
              view: asked.view === 'heat' ? undefined : asked.view,
            })
          }
        />
        <Words label="by" of={asked.by ?? []} onRemove={(by) => change({ by: toggled(asked.by, by) })} />
        <AddWord
          id="add-by"
          label="group by"
          list={names}
          placeholder="column"
          onAdd={(by) => change({ by: [...new Set([...(asked.by ?? []), by])].slice(0, 4) })}
        />
      </div>
      <div class="query-line">
        <Words label="where" of={asked.where ?? []} onRemove={(where) => change({ where: toggled(asked.where, where) })} />
        <AddWord
          id="add-where"
          label="add a condition"
          isWide
          list={names}
          placeholder="status >= 500"
          onAdd={(where) => change({ where: [...new Set([...(asked.where ?? []), where])] })}
        />
      </div>
    </div>
  )
}

function Field({ label, for: id, children }: { label: string; for: string; children: JSX.Element }): JSX.Element {
  return (
    <span class="field">
      <label for={id}>{label}</label>
      {children}
    </span>
  )
}

interface ChoiceProps {
  id: string
  value: string | undefined
  words: readonly string[]
  /** the word for none of them */
  empty?: string
  before?: string
  onChange: (word: string | undefined) => void
}

function Choice({ id, value, words, empty, before = '', onChange }: ChoiceProps): JSX.Element {
  return (
    <select id={id} value={value ?? ''} onChange={(event) => onChange(event.currentTarget.value || undefined)}>
      {empty !== undefined && <option value="">{empty}</option>}
      {value !== undefined && value !== '' && !words.includes(value) && (
        <option value={value}>
          {before}
          {value}
        </option>
      )}
      {words.map((word) => (
        <option key={word} value={word}>
          {before}
          {word}
        </option>
      ))}
    </select>
  )
}

/** `last 1h`, or two times. */
export function RangeField({
  asked,
  onChange,
}: {
  asked: Pick<Asked, 'since' | 'until'>
  onChange: (times: Pick<Asked, 'since' | 'until'>) => void
}): JSX.Element {
  const isFixed = asked.until !== undefined || /^\d{4}-/.test(asked.since ?? '')
  return (
    <span class="field">
      <label for="range">range</label>
      <select
        id="range"
        value={isFixed ? 'fixed' : (asked.since ?? '1h')}
        onChange={(event) => onChange({ since: event.currentTarget.value })}
      >
        {isFixed && <option value="fixed">fixed</option>}
        {!isFixed && asked.since !== undefined && !(RANGES as readonly string[]).includes(asked.since) && (
          <option value={asked.since}>last {asked.since}</option>
        )}
        {RANGES.map((range) => (
          <option key={range} value={range}>
            last {range}
          </option>
        ))}
      </select>
      {isFixed && (
        <>
          <input
            type="datetime-local"
            step="1"
            aria-label="from"
            value={localText(asked.since)}
            onChange={(event) => onChange({ ...asked, since: isoOf(event.currentTarget.value) })}
          />
          <input
            type="datetime-local"
            step="1"
            aria-label="to"
            value={localText(asked.until)}
            onChange={(event) => onChange({ ...asked, until: isoOf(event.currentTarget.value) })}
          />
        </>
      )}
    </span>
  )
}

/** A time in the form that the browser's field wants, in the reader's zone. */
function localText(text: string | undefined): string {
  const at = Date.parse(text ?? '')
  if (Number.isNaN(at)) return ''
  return new Date(at - new Date(at).getTimezoneOffset() * 60_000).toISOString().slice(0, 19)
}

function isoOf(local: string): string | undefined {
  const at = Date.parse(local)
  return Number.isNaN(at) ? undefined : new Date(at).toISOString()
}

const VIEW_WORDS: Partial<Record<View, string>> = { lines: 'lines', heat: 'heat map', table: 'table' }

function ViewChoice({
  asked,
  columns,
  onChange,
}: {
  asked: Asked
  columns: QueryBarProps['columns']
  onChange: (part: Partial<Asked>) => void
}): JSX.Element {
  const numeric = Object.keys(columns).filter((name) => isNumeric(columns[name] ?? ''))
  const heat = asked.heat ?? numeric.find((name) => /ms$|duration|latency/.test(name)) ?? numeric[0]
  return (
    <span class="choice views" role="group" aria-label="How it is shown">
      {(['lines', 'heat', 'table'] as const).map((view) => (
        <button
          key={view}
          type="button"
          disabled={view === 'heat' && heat === undefined}
          aria-pressed={(asked.view ?? 'lines') === view}
          onClick={() => onChange({ view: view === 'lines' ? undefined : view, heat: view === 'heat' ? heat : undefined })}
        >
          {VIEW_WORDS[view]}
        </button>
      ))}
      {asked.view === 'heat' && (
        <select aria-label="column of the heat map" value={heat} onChange={(event) => onChange({ heat: event.currentTarget.value })}>
          {numeric.map((name) => (
            <option key={name} value={name}>
              {name}
            </option>
          ))}
        </select>
      )}
    </span>
  )
}

function Words({ label, of, onRemove }: { label: string; of: readonly string[]; onRemove: (word: string) => void }): JSX.Element {
  return (
    <span class="field">
      <span class="label">{label}</span>
      {of.map((word) => (
        <span key={word} class="word">
          <code>{word}</code>
          <button type="button" aria-label={`remove ${word}`} onClick={() => onRemove(word)}>
            ×
          </button>
        </span>
      ))}
    </span>
  )
}

interface AddWordProps {
  id: string
  label: string
  list: readonly string[]
  placeholder: string
  isWide?: boolean
  onAdd: (word: string) => void
}

function AddWord({ id, label, list, placeholder, isWide = false, onAdd }: AddWordProps): JSX.Element {
  return (
    <form
      class={isWide ? 'add wide' : 'add'}
      onSubmit={(event) => {
        event.preventDefault()
        const field = event.currentTarget.elements.namedItem(id) as HTMLInputElement
        const word = field.value.trim()
        field.value = ''
        if (word !== '') onAdd(word)
      }}
    >
      <input
        id={id}
        name={id}
        type="text"
        aria-label={label}
        placeholder={`+ ${placeholder}`}
        list={`${id}-list`}
        autocomplete="off"
        spellcheck={false}
      />
      <datalist id={`${id}-list`}>
        {list.map((word) => (
          <option key={word} value={word} />
        ))}
      </datalist>
    </form>
  )
}

/** What may be calculated over these columns. */
function calcsOf(columns: QueryBarProps['columns']): string[] {
  const numeric = Object.keys(columns).filter((name) => isNumeric(columns[name] ?? ''))
  const others = Object.keys(columns).filter((name) => columns[name] === 'VARCHAR')
  return [
    'count',
    ...numeric.flatMap((name) => ['p50', 'p99', 'avg', 'sum', 'max'].map((kind) => `${kind}:${name}`)),
    ...others.map((name) => `distinct:${name}`),
  ]
}
