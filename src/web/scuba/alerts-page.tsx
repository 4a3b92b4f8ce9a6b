import type { JSX } from 'preact'
import { Scroll } from '../shell/scroll.tsx'
import { quoteText } from '../../core/scuba/names.ts'
import type { StoredAlert } from '../../core/scuba/queries.ts'
import { ask } from '../live/api.ts'
import { useAsked } from '../live/use-asked.ts'
import { useNow } from '../live/use-now.ts'
import { Shell } from '../shell/shell.tsx'
import { ago, dateTime } from '../shell/text.ts'
import { levelsOf, pointsOf, pointsRequest } from './alert-points.ts'
import { askPanel, askQuery } from './ask-store.ts'
import { CoverageBadge } from './coverage-badge.tsx'
import { valueText } from './numbers.ts'
import { PanelCharts } from './panel-charts.tsx'
import { RowTable } from './row-table.tsx'
import { chartsOf } from '../../core/scuba/explore/series.ts'

const POINTS_SHOWN = 60
const HISTORY_SHOWN = 50
const HELP = [{ keys: 'Tab, Enter', does: 'to a rule, and into it' }]

const MARKS: Record<string, string> = { firing: '✖', recovering: '◔', flapping: '≈', no_data: '∅', unknown: '?', inactive: '●' }

/** The page `alerts`: the rules with their state, and of one the points it was judged by. */
export function AlertsPage(): JSX.Element {
  const name = new URLSearchParams(location.search).get('name')
  const { data, error } = useAsked(
    'alerts',
    async (signal) => (await ask<{ alerts: StoredAlert[] }>('scuba.alert.list', {}, signal)).data.alerts,
    5000,
  )
  const chosen = data?.find(({ rule }) => rule.name === name)
  return (
    <Shell
      page="alerts"
      link={error?.code === 'SESSION_OVER' ? 'over' : error === null ? 'live' : 'lost'}
      error={error}
      warnings={[]}
      help={HELP}
      isWide
    >
      <h1>Alerts</h1>
      {data?.length === 0 && (
        <p class="empty">
          No rules. Put one: <code>muster scuba alert put templates/alerts/requests-5xx.yaml</code>
        </p>
      )}
      {data !== null && data.length > 0 && <Rules alerts={data} chosen={name} />}
      {name !== null && data !== null && chosen === undefined && <p class="notice">▲ There is no alert rule {name}.</p>}
      {chosen !== undefined && <Rule key={chosen.version} stored={chosen} />}
    </Shell>
  )
}

function stateOf({ states, pausedUntilMs }: StoredAlert, now: number): { kind: string; text: string } {
  if (pausedUntilMs !== null && pausedUntilMs > now) return { kind: 'paused', text: `❚❚ paused until ${dateTime(pausedUntilMs)}` }
  const worst = states.find(({ state }) => state === 'firing') ?? states[0]
  const kind = worst?.state ?? 'inactive'
  const groups = states.filter(({ state }) => state === kind).length
  return { kind, text: `${MARKS[kind] ?? '?'} ${kind.replace('_', ' ')}${groups > 1 ? `, ${groups} groups` : ''}` }
}

function Rules({ alerts, chosen }: { alerts: readonly StoredAlert[]; chosen: string | null }): JSX.Element {
  const now = useNow()
  return (
    <Scroll label="Rules">
      <table>
        <thead>
          <tr>
            <th scope="col">rule</th>
            <th scope="col">state</th>
            <th scope="col">level</th>
            <th scope="col">of</th>
            <th scope="col">fires</th>
            <th scope="col">since</th>
          </tr>
        </thead>
        <tbody>
          {alerts.map((stored) => {
            const { rule, states } = stored
            const state = stateOf(stored, now)
            const since = states.reduce((first, { sinceMs }) => Math.min(first, sinceMs), Number.POSITIVE_INFINITY)
            return (
              <tr key={rule.name} class={rule.name === chosen ? 'chosen' : ''}>
                <td>
                  <a href={`/alerts?name=${rule.name}`}>{rule.name}</a>
                </td>
                <td class={`state ${state.kind}`}>{state.text}</td>
                <td>SEV{rule.sev}</td>
                <td>{rule.table}</td>
                <td>
                  <code>
                    {rule.calc} {rule.fire} for {rule.for}
                  </code>
                </td>
                <td>{Number.isFinite(since) ? ago(since, now) : '–'}</td>
              </tr>
            )
          })}
        </tbody>
      </table>
    </Scroll>
  )
}

function Rule({ stored }: { stored: StoredAlert }): JSX.Element {
  const now = useNow()
  const { rule, states } = stored
  const request = pointsRequest(rule, now)
  const panel = useAsked(
    request === null ? null : rule.name,
    (signal) => askPanel(pointsRequest(rule, Date.now()) ?? { table: '', calc: [] }, signal),
    5000,
  )
  const past = useAsked(
    `${rule.name} history`,
    (signal) => askQuery({ sql: historySql(rule.name), sinceMs: Date.now() - 7 * 86_400_000 }, signal),
    15_000,
  )
  const [chart] = panel.data === null ? [] : chartsOf(panel.data)
  return (
    <>
      <section class="card" aria-label={rule.name}>
        <header class="card-head">
          <h2>
            {rule.name} <small>{rule.summary}</small>
          </h2>
          <CoverageBadge of={panel.data} isLoading={panel.isLoading} />
        </header>
        <PanelCharts
          answer={panel.data === null ? null : { ...panel.data, calc: panel.data.calc.slice(0, 1) }}
          error={panel.error}
          isLoading={panel.isLoading}
          height={240}
          title={rule.name}
          levels={levelsOf(rule)}
          hasTables={false}
        />
        <dl class="details">
          {[
            ['fires', `${rule.calc ?? 'its SQL'} ${rule.fire} for ${rule.for}`],
            ['clears', `${rule.clear ?? `not ${rule.fire}`} for ${rule.keep_firing_for}`],
            ['every', rule.every],
            ['waits', rule.delay],
            ['where', rule.where ?? 'all rows'],
            ['by', rule.by.join(', ') || 'all as one'],
            ['fewest events', String(rule.min_events)],
            ['without rows', rule.no_data],
            ['set', `${dateTime(stored.setAtMs)} by ${stored.setBy}`],
          ].map(([name, value]) => (
            <div key={name}>
              <dt>{name}</dt>
              <dd>{value}</dd>
            </div>
          ))}
        </dl>
      </section>
      <h2>Groups that are not inactive</h2>
      {states.length === 0 ? (
        <p class="empty">All are inactive.</p>
      ) : (
        <Scroll label="States">
          <table>
            <tbody>
              {states.map(({ group, state, value, sinceMs, reason }) => (
                <tr key={group}>
                  <td>{group || 'all'}</td>
                  <td class={`state ${state}`}>
                    {MARKS[state] ?? '?'} {state.replace('_', ' ')}
                  </td>
                  <td class="number">{valueText(value, rule.calc ?? 'value')}</td>
                  <td>{ago(sinceMs, now)}</td>
                  <td class="what">{reason}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </Scroll>
      )}
      <h2>Evaluated points</h2>
      {chart !== undefined && (
        <Scroll label="Evaluated points" kind="low">
          <table>
            <thead>
              <tr>
                <th scope="col">from</th>
                <th scope="col">group</th>
                <th scope="col" class="number">
                  {rule.calc ?? 'value'}
                </th>
                <th scope="col">over {rule.fire}</th>
              </tr>
            </thead>
            <tbody>
              {pointsOf(chart.lines, chart.steps, rule.fire, POINTS_SHOWN).map(({ group, stepMs, value, isBreached }) => (
                <tr key={`${group} ${stepMs}`} class={isBreached ? 'breached' : ''}>
                  <td>{dateTime(stepMs)}</td>
                  <td>{group}</td>
                  <td class="number">{valueText(value, rule.calc ?? 'value')}</td>
                  <td>{value === null ? '∅ no rows' : isBreached ? '✖ yes' : 'no'}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </Scroll>
      )}
      <h2>Moves of the last 7 days</h2>
      {past.error !== null && <p class="bad">{past.error.message}</p>}
      {past.data !== null && past.data.rows.length === 0 && <p class="empty">None.</p>}
      {past.data !== null && past.data.rows.length > 0 && <RowTable answer={past.data} label="Moves" />}
    </>
  )
}

function historySql(name: string): string {
  return `SELECT time, service, text FROM muster_log_entries WHERE type = 'scuba.AlertMoved' AND (starts_with(text, ${quoteText(`alert ${name} `)}) OR starts_with(text, ${quoteText(`alert ${name}:`)})) ORDER BY time DESC LIMIT ${HISTORY_SHOWN}`
}
