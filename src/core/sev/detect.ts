import type { Entry } from '../contracts/entry.ts'
import type { SignalRow } from './schema.ts'

/**
 * Which entries of other systems are worth an incident. Recognised by type and body alone, so sev depends on nobody's
 * files; a field that is not there makes the sentence poorer, never the page late.
 */

type Body = Record<string, unknown>
export type Signal = Omit<SignalRow, 'position' | 'at' | 'evidence'>

const EVIDENCE_MAX = 4000

function word(body: Body, ...names: string[]): string | null {
  for (const name of names) {
    const value = body[name]
    if (typeof value === 'string' && value !== '') return value
    if (typeof value === 'number') return String(value)
  }
  return null
}

/** What kept the body: JSON, cut to a size the log of changes can bear. */
export function evidenceOf(entry: Entry): string {
  const text = JSON.stringify(entry.body ?? null)
  return text.length <= EVIDENCE_MAX ? text : JSON.stringify({ cut: text.slice(0, EVIDENCE_MAX) })
}

const isPerson = (entry: Entry): boolean => entry.actor.startsWith('user:')

/** Everything a service's alerts concern is one incident; what belongs to no service is grouped by its system. */
const groupOf = (service: string | null, fallback: string): string => (service === null ? fallback : 'service')

function levelFrom(value: unknown): 1 | 2 | 3 | 4 {
  const n = Number(typeof value === 'string' ? value.replace(/^sev/i, '') : value)
  // Unknown is the higher of the levels that page one person, and says so by paging.
  return n === 1 || n === 2 || n === 3 || n === 4 ? n : 2
}

/** Ends of a rollout that somebody chose, or that hurt nobody: no incident. */
const CHOSEN = new Set(['aborted', 'superseded', 'rollback', 'halted', 'paused', 'inconclusive'])

function deploySignal(entry: Entry, body: Body): Signal | null {
  const service = entry.notable?.service ?? word(body, 'service')
  const rollout = word(body, 'rollout', 'id') ?? entry.notable?.target ?? 'unknown'
  const text = entry.notable?.text ?? `${entry.type.slice('deploy.'.length)} of rollout ${rollout}`
  const base = {
    source: 'deploy',
    dedup_key: `rollout/${rollout}`,
    group_key: groupOf(service, 'deploy'),
    service,
    title: text,
    summary: text,
  }
  switch (entry.type) {
    case 'deploy.StepVerdict':
      return word(body, 'verdict', 'outcome') === 'fail' ? { ...base, action: 'raise', level: 3 } : null
    case 'deploy.RollBack':
      if (isPerson(entry) || CHOSEN.has(word(body, 'cause') ?? '')) return null
      // Tasks that never became healthy took no traffic: nobody was hurt.
      return { ...base, action: 'raise', level: word(body, 'cause') === 'preparing' ? 4 : 3 }
    case 'deploy.BreakerTripped':
      return { ...base, action: 'raise', level: 3 }
    case 'deploy.RolledBack':
      return { ...base, action: 'mitigate', level: 3 }
    case 'deploy.RollbackStuck':
      return { ...base, action: 'raise', level: 2 }
    default:
      return null
  }
}

/** A task that was given up: one alone is tw's to replace, several in a short time are a crash loop. */
export function isTaskFailure(entry: Entry): boolean {
  return entry.type === 'tw.TasksReported' && /crash|task-failed/.test(entry.notable?.kind ?? '')
}

function twSignal(entry: Entry, body: Body): Signal | null {
  const node = word(body, 'node', 'name') ?? entry.notable?.target ?? 'unknown'
  const text = entry.notable?.text ?? `${entry.type} ${node}`
  if (entry.type === 'tw.NodeLost' || entry.type === 'tw.NodeReturned') {
    const base = { source: 'tw', dedup_key: `node/${node}`, group_key: 'nodes', service: null, summary: text, level: 3 } as const
    return { ...base, action: entry.type === 'tw.NodeLost' ? 'raise' : 'resolve', title: `node ${node} lost` }
  }
  if (entry.type === 'tw.LossHeld' || entry.type === 'tw.LossEnded') {
    const base = { source: 'tw', dedup_key: 'nodes/held', group_key: 'nodes', service: null, summary: text, level: 2 } as const
    return { ...base, action: entry.type === 'tw.LossHeld' ? 'raise' : 'resolve', title: 'many nodes silent, none given up' }
  }
  if (entry.type === 'tw.DomainLost') {
    // One incident, however many entries it took.
    const domain = word(body, 'domain') ?? 'nodes'
    const base = { source: 'tw', dedup_key: `domain/${domain}`, group_key: 'nodes', service: null, summary: text, level: 2 } as const
    return body['isFirst'] === true ? { ...base, action: 'raise', title: `${domain} lost` } : null
  }
  if (isTaskFailure(entry) && entry.notable) {
    const { service, target } = entry.notable
    return {
      action: 'raise',
      source: 'tw',
      dedup_key: `crash/${service ?? target}`,
      group_key: groupOf(service, 'tasks'),
      service,
      level: 3,
      title: `tasks of ${service ?? target} crash again and again`,
      summary: text,
    }
  }
  return null
}

/** Tiers of one objective are one alert: a worse one raises its level. A spent budget is a ticket of its own. */
function sloSignal(entry: Entry, body: Body): Signal | null {
  const kind = word(body, 'kind') ?? ''
  const service = word(body, 'service') ?? entry.notable?.service ?? null
  const what = `${service ?? 'service'}/${word(body, 'objective') ?? 'objective'}`
  const isBudget = kind.startsWith('budget')
  const title = word(body, 'title') ?? `SLO ${what}`
  return {
    action: kind === 'burn_ended' || kind === 'budget_restored' ? 'resolve' : 'raise',
    source: 'scuba',
    dedup_key: `scuba/slo${isBudget ? '-budget' : ''}/${what}`,
    group_key: groupOf(service, `scuba/slo/${what}`),
    service,
    level: isBudget ? 4 : levelFrom(body['sev']),
    summary: entry.notable?.text ?? `SLO ${what} ${kind}`,
    title: isBudget ? `${title}: error budget spent` : `${title}: error budget burns`,
  }
}

/** Rows are refused: somebody has to look. Rows that go before their time leave a day. */
function diskSignal(entry: Entry, body: Body): Signal {
  const leaf = word(body, 'leaf') ?? entry.notable?.target ?? 'unknown'
  const level = word(body, 'level')
  const text = entry.notable?.text ?? `the disk of leaf ${leaf} is filling up`
  return {
    action: level === 'evict' || level === 'full' ? 'raise' : 'resolve',
    source: 'scuba',
    dedup_key: `scuba/disk/${leaf}`,
    group_key: 'scuba/disk',
    service: null,
    level: level === 'full' ? 2 : 3,
    title: text,
    summary: text,
  }
}

function scubaSignal(entry: Entry, body: Body): Signal | null {
  if (entry.type === 'scuba.SloMoved') return sloSignal(entry, body)
  if (entry.type === 'scuba.LeafDiskMoved') return diskSignal(entry, body)
  if (entry.type !== 'scuba.AlertMoved') return null
  const to = word(body, 'to', 'state')
  const service = word(body, 'service') ?? entry.notable?.service ?? null
  const rule = word(body, 'rule', 'name') ?? entry.notable?.target ?? 'alert'
  const group = word(body, 'group') ?? ''
  const base = {
    source: 'scuba',
    dedup_key: `scuba/${rule}/${group}`,
    group_key: groupOf(service, `scuba/${rule}`),
    service,
    level: levelFrom(body['sev'] ?? body['level']),
    summary: entry.notable?.text ?? `alert ${rule} ${to ?? ''}`,
    title: word(body, 'title') ?? `${rule}${group === '' ? '' : ` (${group})`}`,
  }
  if (to === 'firing') return { ...base, action: 'raise' }
  // It counts as firing: whoever has it goes on having it, whoever has not is told once.
  if (to === 'flapping') return { ...base, action: 'raise' }
  if (to === 'recovering') return null
  // No data is never a pass: silence is a ticket, a query that cannot be answered asks somebody.
  if (to === 'no_data') return { ...base, action: 'raise', level: 4 }
  if (to === 'unknown') return { ...base, action: 'raise', level: 3 }
  return to === 'inactive' || to === 'ok' || to === 'resolved' ? { ...base, action: 'resolve' } : null
}

function chaosSignal(entry: Entry, body: Body): Signal | null {
  if (entry.type !== 'chaos.FaultLeaked') return null
  const fault = word(body, 'fault', 'id') ?? entry.notable?.target ?? 'unknown'
  const service = entry.notable?.service ?? word(body, 'service')
  return {
    action: 'raise',
    source: 'chaos',
    dedup_key: `fault/${fault}`,
    group_key: groupOf(service, 'chaos'),
    service,
    level: 2,
    title: `fault ${fault} could not be undone`,
    summary: entry.notable?.text ?? `fault ${fault} leaked`,
  }
}

/** Nothing can be written, or what was written is damaged: everybody. The rest leaves time. */
const DELOS_LEVELS: Readonly<Record<string, 1 | 2 | 3>> = { NO_QUORUM: 1, CORRUPT: 1, NOSPACE: 2 }

function delosSignal(entry: Entry, body: Body): Signal | null {
  if (entry.type !== 'delos.AlarmRaised' && entry.type !== 'delos.AlarmCleared') return null
  const kind = word(body, 'kind') ?? 'ALARM'
  const target = word(body, 'target') ?? entry.notable?.target ?? 'unknown'
  const text = entry.notable?.text ?? `${kind} of ${target}`
  const isRaised = entry.type === 'delos.AlarmRaised'
  return {
    action: isRaised ? 'raise' : 'resolve',
    source: 'delos',
    dedup_key: `delos/${kind}/${target}`,
    group_key: 'delos',
    service: null,
    level: DELOS_LEVELS[kind] ?? 3,
    title: isRaised ? text : `${kind} of ${target}`,
    summary: text,
  }
}

/** The signal an entry gives, or null. */
export function signalOf(entry: Entry): Signal | null {
  const body: Body = typeof entry.body === 'object' && entry.body !== null ? (entry.body as Body) : {}
  if (entry.type.startsWith('deploy.')) return deploySignal(entry, body)
  if (entry.type.startsWith('tw.')) return twSignal(entry, body)
  if (entry.type.startsWith('scuba.')) return scubaSignal(entry, body)
  if (entry.type.startsWith('chaos.')) return chaosSignal(entry, body)
  if (entry.type.startsWith('delos.')) return delosSignal(entry, body)
  return null
}

/** Start or end of a chaos run; null for other entries. */
export function chaosRunOf(entry: Entry): { run: string; isStart: boolean; service: string | null } | null {
  const isStart = entry.type === 'chaos.ChaosRunStarted'
  if (!isStart && entry.type !== 'chaos.ChaosRunClosed') return null
  const body = (entry.body ?? {}) as Body
  const run = word(body, 'run', 'id') ?? entry.notable?.target
  if (run === undefined) return null
  return { run, isStart, service: entry.notable?.service ?? word(body, 'service') }
}
