import type { JSX } from 'preact'
import { Scroll } from '../shell/scroll.tsx'
import { formatDuration } from '../../core/kernel/units.ts'
import { quoteText } from '../../core/scuba/names.ts'
import { dataNotes } from '../../core/scuba/slo/data-notes.ts'
import type { ObjectiveStatus } from '../../core/scuba/operations/slo.ts'
import { ask } from '../live/api.ts'
import { useAsked } from '../live/use-asked.ts'
import { useNow } from '../live/use-now.ts'
import { Shell } from '../shell/shell.tsx'
import { ago, count, dateTime } from '../shell/text.ts'
import { askPanel } from './ask-store.ts'
import { CoverageBadge } from './coverage-badge.tsx'
import { milliseconds, short } from './numbers.ts'
import { PanelCharts } from './panel-charts.tsx'
import { burnText, byNeed, errorShare, levelsOf, meterOf, stateCounts } from './slo.ts'

const EVERY_MS = 5000
const MARKS: Record<ObjectiveStatus['state'], string> = { ok: '●', burning: '▲', spent: '✖', no_data: '∅', unknown: '?' }
const HELP = [{ keys: 'Tab, Enter', does: 'to an objective, and into it' }]

/** The page `slo`: how every objective stands, and of one its budget, its burn rates and what they page at. */
export function SloPage(): JSX.Element {
  const params = new URLSearchParams(location.search)
  const [service, objective] = [params.get('service'), params.get('objective')]
  const { data, error } = useAsked(
    'slo',
    async (signal) => (await ask<{ objectives: ObjectiveStatus[] }>('scuba.slo.status', {}, signal)).data.objectives,
    EVERY_MS,
  )
  const chosen = data?.find((each) => each.service === service && (objective === null || each.objective === objective))
  return (
    <Shell
      page="slo"
      link={error?.code === 'SESSION_OVER' ? 'over' : error === null ? 'live' : 'lost'}
      error={error}
      warnings={[]}
      help={HELP}
      isWide
    >
      <h1>Service objectives</h1>
      {data?.length === 0 && (
        <p class="empty">
          None yet. Put a file of them: <code>muster scuba slo put FILE</code>; starters are in templates/slos/.
        </p>
      )}
      {data !== null && data.length > 0 && service !== null && chosen === undefined && (
        <p class="notice">
          ▲ There is no objective {objective ?? ''} of {service}.
        </p>
      )}
      {chosen !== undefined && <Objective status={chosen} />}
      {data !== null && data.length > 0 && <Objectives all={data} chosen={chosen ?? null} />}
    </Shell>
  )
}

function Objectives({ all, chosen }: { all: readonly ObjectiveStatus[]; chosen: ObjectiveStatus | null }): JSX.Element {
  const now = useNow()
  const [first] = all
  const isOneWindow = all.every(({ window }) => window === first?.window)
  return (
    <>
      <p class="empty">
        {stateCounts(all)}
        {dataNotes(all).map((note) => (
          <small key={note}> · {note}</small>
        ))}
      </p>
      <Scroll label="Objectives">
        <table class="objectives">
          <thead>
            <tr>
              <th scope="col">state</th>
              <th scope="col">service</th>
              <th scope="col">objective</th>
              <th scope="col">target</th>
              <th scope="col" class="number">
                {isOneWindow ? `now (${first?.window})` : 'now'}
              </th>
              <th scope="col">budget</th>
              <th scope="col" class="number">
                burn 2 m
              </th>
              <th scope="col" class="number">
                1 h
              </th>
              <th scope="col">last burn</th>
            </tr>
          </thead>
          <tbody>
            {byNeed(all).map((status) => (
              <tr key={`${status.service} ${status.objective}`} class={status === chosen ? 'chosen' : ''}>
                <td class={`state ${status.state}`}>
                  {MARKS[status.state]} {status.state.replace('_', ' ')}
                  {status.tier === null ? '' : ` (${status.tier})`}
                </td>
                <td class="name">{status.service}</td>
                <td>
                  <a href={`/slo?${new URLSearchParams({ service: status.service, objective: status.objective }).toString()}`}>
                    {status.objective}
                  </a>
                </td>
                <td>{status.target}</td>
                <td class="number">{nowText(status)}</td>
                <td>
                  <BudgetMeter status={status} />
                </td>
                <td class="number">{burnText(status.burn2m)}</td>
                <td class="number">{burnText(status.burn1h)}</td>
                <td>{status.lastBurnAtMs === null ? 'never' : ago(status.lastBurnAtMs, now)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </Scroll>
    </>
  )
}

/** The figure over the window. */
function nowText({ kind, budget, latencyMs }: ObjectiveStatus): string {
  if (kind === 'latency' && latencyMs !== null) return milliseconds(latencyMs)
  if (budget === null || budget.total === 0) return '–'
  const share = budget.good / budget.total
  if (kind === 'error-rate') return `${short((1 - share) * 100)} %`
  return `${(share * 100).toFixed(3)} %${kind === 'latency' ? ' within' : ''}`
}

function BudgetMeter({ status }: { status: ObjectiveStatus }): JSX.Element {
  const { left, text, outage, kind } = meterOf(status.budget)
  return (
    <span class={`meter ${kind}`} title={outage ?? undefined}>
      <i aria-hidden="true">
        <b style={{ width: `${left * 100}%` }} />
      </i>
      {text}
    </span>
  )
}

function Objective({ status }: { status: ObjectiveStatus }): JSX.Element {
  const { service, objective, budget, budgetWithExcluded, tiers, reason } = status
  const where = `service = ${quoteText(service)} AND objective = ${quoteText(objective)}`
  const panel = useAsked(
    `${service} ${objective}`,
    (signal) => askPanel({ table: 'muster_slo', calc: ['sum:good', 'sum:total'], where, stepMs: 60_000, lastMs: 3 * 3_600_000 }, signal),
    10_000,
  )
  return (
    <>
      <section class="card" aria-label={`${service} ${objective}`}>
        <header class="card-head">
          <h2>
            {service}, {objective} <small>{status.target}</small>
          </h2>
          <CoverageBadge of={panel.data} isLoading={panel.isLoading} />
        </header>
        {reason !== null && (
          <p class="notice">
            ▲ {status.sinceMs === null ? '' : `${dateTime(status.sinceMs)}: `}
            {reason}
          </p>
        )}
        <PanelCharts
          answer={panel.data === null ? null : errorShare(panel.data)}
          error={panel.error}
          isLoading={panel.isLoading}
          height={260}
          title={`${service} ${objective}`}
          levels={levelsOf(status)}
        />
        {budget !== null && (
          <dl class="details">
            {[
              ['events', count(Math.round(budget.total))],
              ['bad', count(Math.round(budget.bad))],
              ['allowed', count(Math.round(budget.allowed))],
              ['left', [meterOf(budget).text, meterOf(budget).outage ?? []].flat().join(', ')],
              ...(budgetWithExcluded === null ? [] : [['with what is excluded', meterOf(budgetWithExcluded).text]]),
              ...(status.windowFromMs === null ? [] : [['window from', dateTime(status.windowFromMs)]]),
            ].map(([name, value]) => (
              <div key={name}>
                <dt>{name}</dt>
                <dd>{value}</dd>
              </div>
            ))}
          </dl>
        )}
      </section>
      <h2>When it pages</h2>
      <Scroll label="Tiers">
        <table>
          <thead>
            <tr>
              <th scope="col">tier</th>
              <th scope="col" class="number">
                burn
              </th>
              <th scope="col">over</th>
              <th scope="col" class="number">
                share of errors
              </th>
              <th scope="col">level</th>
            </tr>
          </thead>
          <tbody>
            {tiers.map(({ name, factor, longMs, shortMs, sev, threshold, isClamped }) => (
              <tr key={name} class={name === status.tier ? 'breached' : ''}>
                <td>{name}</td>
                <td class="number">{burnText(factor)}</td>
                <td>
                  {formatDuration(longMs)} and {formatDuration(shortMs)}
                </td>
                <td class="number">
                  {short(threshold * 100)} %{isClamped ? ', lowered' : ''}
                </td>
                <td>SEV{sev}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </Scroll>
    </>
  )
}
