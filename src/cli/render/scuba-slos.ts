import { formatDuration } from '../../core/kernel/units.ts'
import type { ObjectiveStatus } from '../../core/scuba/operations/slo.ts'
import { dataNotes, dataText } from '../../core/scuba/slo/data-notes.ts'
import type { View } from '../terminal.ts'
import { groupedText } from './scuba-values.ts'
import { mark, type Mark } from './style.ts'
import { fields, table } from './table.ts'

const MARK: Record<ObjectiveStatus['state'], Mark> = { ok: 'ok', burning: 'bad', spent: 'bad', no_data: 'warn', unknown: 'warn' }
const NAME = { availability: 'availability', latency: 'latency', 'error-rate': 'error rate' } as const

export interface Exclusion {
  id: number
  objective: string | null
  fromMs: number
  toMs: number
  reason: string
  by: string
}

const percent = (share: number, digits = 3): string => `${Number((share * 100).toFixed(digits))} %`
const burn = (rate: number | null): string => (rate === null ? '-' : rate >= 10 ? rate.toFixed(0) : rate.toFixed(1))
const ago = (ms: number): string => (ms < 60_000 ? 'now' : `${formatDuration(Math.floor(ms / 60_000) * 60_000)} ago`)
const iso = (ms: number): string => new Date(ms).toISOString().replace('.000', '')

function stateText({ state, tier, sev }: ObjectiveStatus, view: View): string {
  const words = state === 'burning' ? `burning (${tier}, ${sev === 4 ? 'ticket' : `SEV${sev}`})` : state.replace('_', ' ')
  return mark(view, MARK[state], words)
}

/** The figure over the window, as its target is said. */
function nowText({ kind, budget, latencyMs, target }: ObjectiveStatus): string | null {
  if (budget === null || budget.total === 0) return null
  const good = budget.good / budget.total
  if (kind === 'error-rate') return percent(1 - good)
  if (kind === 'availability') return percent(good)
  const quantile = target.split(' ')[0] ?? 'p99'
  return latencyMs === null ? `${percent(good)} within` : `${quantile} ${formatDuration(latencyMs)}`
}

/** `42 % (9m)`: of an availability also as time of full outage. */
function leftText({ kind, budget }: ObjectiveStatus): string | null {
  if (budget === null) return null
  return `${Number((budget.left * 100).toFixed(budget.left < 0.1 ? 1 : 0))} %${kind === 'availability' && budget.left > 0 ? ` (${formatDuration(budget.leftMs)})` : ''}`
}

export function renderSlos(objectives: readonly ObjectiveStatus[], view: View): string {
  const window = objectives[0]?.window ?? '30 d'
  const text = table(
    view,
    objectives,
    [
      { title: 'service', cell: ({ service }) => service },
      { title: 'objective', cell: (it) => (it.objective === it.kind ? NAME[it.kind] : it.objective) },
      { title: 'target', cell: ({ target }) => target },
      { title: objectives.every((it) => it.window === window) ? `now (${window})` : 'now', cell: nowText },
      { title: 'budget left', cell: leftText },
      { title: 'burn 2m / 1h', cell: ({ burn2m, burn1h }) => `${burn(burn2m)} / ${burn(burn1h)}` },
      {
        title: 'last burn',
        cell: ({ lastBurnAtMs, asOfMs }) => (lastBurnAtMs === null ? 'never' : ago((asOfMs ?? lastBurnAtMs) - lastBurnAtMs)),
      },
      { title: 'state', cell: stateText },
      { title: 'window', isWide: true, cell: (it) => it.window },
      { title: 'events', isWide: true, align: 'right', cell: ({ budget }) => (budget === null ? null : groupedText(budget.total)) },
    ],
    'No objectives; put some with `muster scuba slo put templates/slos/starter.yaml`.',
  )
  return [text, ...notes(objectives)].join('\n')
}

/** What the table has no room for: figures of less than the window, and with what was excluded. */
function notes(objectives: readonly ObjectiveStatus[]): string[] {
  const excluded = objectives.flatMap(({ service, objective, budgetWithExcluded: all }) =>
    all === null ? [] : [`${service} ${objective}: ${percent(all.total === 0 ? 1 : all.good / all.total)} with what was excluded`],
  )
  return [...dataNotes(objectives), ...excluded]
}

const sevText = (sev: number): string => (sev === 4 ? 'ticket' : `page, SEV${sev}`)

/** When an objective burns: the tiers at its target. */
export function renderTiers({ tiers }: ObjectiveStatus, view: View): string {
  return table(view, tiers, [
    { title: 'tier', cell: ({ name }) => name },
    {
      title: 'burns above',
      cell: ({ factor, isClamped, threshold }) =>
        `${factor} ×, ${percent(threshold, 4)} bad${isClamped ? ' (lowered: more could not be reached)' : ''}`,
    },
    { title: 'over', cell: ({ longMs, shortMs }) => `${formatDuration(longMs)} and ${formatDuration(shortMs)}` },
    { title: 'asks for', cell: ({ sev }) => sevText(sev) },
  ])
}

export function renderSlo(objectives: readonly ObjectiveStatus[], exclusions: readonly Exclusion[], view: View): string {
  const parts = objectives.map((it) =>
    [
      fields(view, [
        ['objective', `${it.service} ${it.objective}: ${it.target}`],
        ['state', stateText(it, view)],
        ['window', it.window + (dataText(it) === null ? '' : `, ${dataText(it) ?? ''}`)],
        ['now', nowText(it)],
        [
          'events',
          it.budget === null
            ? null
            : `${groupedText(it.budget.total)}, ${groupedText(it.budget.bad)} bad of ${groupedText(it.budget.allowed)} allowed`,
        ],
        ['budget left', leftText(it)],
        ['with excluded', it.budgetWithExcluded === null ? null : `${percent(it.budgetWithExcluded.left, 1)} left`],
        ['burn', `${burn(it.burn2m)} × over 2m, ${burn(it.burn1h)} × over 1h`],
        ['burns since', it.sinceMs === null ? null : iso(it.sinceMs)],
        ['why', it.reason],
      ]),
      renderTiers(it, view),
    ].join('\n\n'),
  )
  const excluded =
    exclusions.length === 0
      ? []
      : [
          table(view, exclusions, [
            { title: 'excluded', align: 'right', cell: ({ id }) => id },
            { title: 'objective', cell: ({ objective }) => objective ?? 'all' },
            { title: 'from', cell: ({ fromMs }) => iso(fromMs) },
            { title: 'to', cell: ({ toMs }) => iso(toMs) },
            { title: 'by', cell: ({ by }) => by },
            { title: 'reason', cell: ({ reason }) => reason, canShrink: true },
          ]),
        ]
  return [...parts, ...excluded].join('\n\n')
}

export interface SloTest {
  objectives: ObjectiveStatus[]
  burns: { objective: string; tier: string; sev: number; fromMs: number; toMs: number }[]
  sinceMs: number
  untilMs: number
}

/** What a file would have shown, and when it would have burned. */
export function renderSloTest({ objectives, burns, sinceMs, untilMs }: SloTest, view: View): string {
  const head = `${iso(sinceMs)} to ${iso(untilMs)}: would have burned ${burns.length === 1 ? 'once' : `${burns.length} times`}`
  const list = table(
    view,
    burns,
    [
      { title: 'objective', cell: ({ objective }) => objective },
      { title: 'tier', cell: ({ tier }) => tier },
      { title: 'asks for', cell: ({ sev }) => sevText(sev) },
      { title: 'from', cell: ({ fromMs }) => iso(fromMs) },
      { title: 'for', cell: ({ fromMs, toMs }) => formatDuration(toMs - fromMs) },
    ],
    '',
  )
  return [renderSlos(objectives, view), head, ...(list === '' ? [] : [list])].join('\n\n')
}
