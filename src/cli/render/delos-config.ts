import { formatDuration, formatShare, formatSize } from '../../core/kernel/units.ts'
import type { View } from '../terminal.ts'
import { paint } from './style.ts'
import { fields, table } from './table.ts'

export interface Canary {
  version: number
  sharePpm: number
  until: number
}

export interface ConfigView {
  name: string
  version: number
  state: string
  service: string | null
  author: string
  at: number
  schema: string | null
  body: string
  canary: Canary | null
}

export interface ConfigListRow {
  name: string
  service: string | null
  version: number | null
  bytes: number
  author: string
  at: number
  hasSchema: boolean
  canary: Canary | null
}

export interface ConfigVersionRow {
  version: number
  state: string
  author: string
  at: number
  decidedAt: number | null
  verdict: string | null
  reason: string | null
  bytes: number
  hasSchema: boolean
}

interface ConfigDiffView {
  name: string
  from: number | null
  to: number
  hunks: { fromLine: number; toLine: number; lines: { sign: ' ' | '+' | '-'; text: string }[] }[]
}

interface ConfigSetView {
  name: string
  version: number
  state: string
  previous: number | null
  isChanged: boolean
  added: number
  removed: number
  canary: { sharePpm: number; until: number } | null
}

const iso = (ms: number): string => new Date(ms).toISOString()

const canaryText = (canary: Canary | null): string | null =>
  canary && `${canary.version} at ${formatShare(canary.sharePpm)} until ${iso(canary.until)}`

/** The body alone, so that a program can use it as it is; wide: what is known of it before. */
export function renderConfigBody(config: ConfigView, view: View): string {
  const body = config.body.replace(/\n$/, '')
  if (!view.isWide) return body
  const head = fields(view, [
    ['name', config.name],
    ['version', `${config.version} (${config.state})`],
    ['service', config.service],
    ['on trial', canaryText(config.canary)],
    ['set', `${iso(config.at)} by ${config.author}`],
    ['schema', config.schema === null ? 'none' : formatSize(config.schema.length)],
  ])
  return `${head}\n\n${body}`
}

export function renderConfigs(configs: readonly ConfigListRow[], nowMs: number, view: View): string {
  return table(
    view,
    configs,
    [
      { title: 'config', cell: (row) => row.name },
      { title: 'version', cell: (row) => row.version, align: 'right' },
      { title: 'size', cell: (row) => formatSize(row.bytes), align: 'right' },
      { title: 'schema', cell: (row) => (row.hasSchema ? 'yes' : null) },
      { title: 'service', cell: (row) => row.service },
      { title: 'set by', cell: (row) => row.author },
      { title: 'age', cell: (row) => formatDuration(Math.max(0, nowMs - row.at)), align: 'right' },
      { title: 'on trial', cell: (row) => canaryText(row.canary) },
    ],
    'No configurations.',
  )
}

export function renderConfigHistory(versions: readonly ConfigVersionRow[], view: View): string {
  return table(view, versions, [
    { title: 'version', cell: (row) => row.version, align: 'right' },
    { title: 'state', cell: (row) => row.state },
    { title: 'set', cell: (row) => iso(row.at) },
    { title: 'by', cell: (row) => row.author },
    { title: 'size', cell: (row) => formatSize(row.bytes), align: 'right' },
    { title: 'schema', cell: (row) => (row.hasSchema ? 'yes' : null), isWide: true },
    { title: 'decided', cell: (row) => row.decidedAt && iso(row.decidedAt), isWide: true },
    { title: 'verdict', cell: (row) => row.verdict },
    { title: 'reason', cell: (row) => row.reason, canShrink: true },
  ])
}

/** As `diff -u` writes it. */
export function renderConfigDiff({ name, from, to, hunks }: ConfigDiffView, view: View): string {
  if (hunks.length === 0) return `${name} ${from ?? 0} and ${to} say the same.`
  const lines = [paint(view, 'bold', `--- ${name} ${from ?? 0}`), paint(view, 'bold', `+++ ${name} ${to}`)]
  for (const hunk of hunks) {
    const count = (sign: '+' | '-'): number => hunk.lines.filter((line) => line.sign === sign || line.sign === ' ').length
    lines.push(paint(view, 'cyan', `@@ -${range(hunk.fromLine, count('-'))} +${range(hunk.toLine, count('+'))} @@`))
    for (const { sign, text } of hunk.lines) {
      const line = `${sign}${text}`
      lines.push(sign === ' ' ? line : paint(view, sign === '+' ? 'green' : 'red', line))
    }
  }
  return lines.join('\n')
}

/** An empty side begins at the line before it. */
function range(line: number, count: number): string {
  return `${count === 0 ? line - 1 : line},${count}`
}

export function renderConfigSet(set: ConfigSetView): string {
  if (!set.isChanged) return `${set.name} ${set.version} stays`
  const change = `${set.previous === null ? 'new' : `was ${set.previous}`}; +${set.added} -${set.removed} lines`
  if (set.canary === null) return `${set.name} ${set.version} is active (${change})`
  const trial = `${set.name} ${set.version} is on trial with ${formatShare(set.canary.sharePpm)} of its readers (${change})`
  return (
    `${trial}\nIt is rolled back as soon as it is seen to be bad, and at ${iso(set.canary.until)} it is activated if it was shown to be good: ` +
    `\`muster delos config readers ${set.name}\` shows what is seen, \`muster delos config judge ${set.name} ${set.version} pass\` decides at once`
  )
}

/** One change of a configuration, as `config watch` tells it. */
export interface ConfigChange {
  position: number
  at: number
  actor: string
  name: string
  version: number
  change: 'on-trial' | 'judged' | 'active' | 'rolled-back'
  /** on trial: with how many of the readers (parts per million) and for how long at most (ms) */
  sharePpm?: number
  forMs?: number
  /** judged */
  verdict?: string
  /** active: the version before; rolled back: the version that is active again */
  previous?: number | null
  to?: number
  reason?: string
}

interface ConfigEntry {
  position: number
  type: string
  at: number
  actor: string
  body: unknown
}

/** What an entry says of a configuration; null: nothing that a reader of configurations would see. */
export function configChange(entry: ConfigEntry): ConfigChange | null {
  const body = entry.body as { name: string; version: number } & Record<string, unknown>
  const head = { position: entry.position, at: entry.at, actor: entry.actor, name: body.name, version: body.version }
  switch (entry.type) {
    case 'delos.ConfigProposed': {
      // Without a trial it is active in the next entry.
      const canary = body['canary'] as { sharePpm: number; forMs: number } | null
      return canary && { ...head, change: 'on-trial', ...canary }
    }
    case 'delos.ConfigCanaryJudged':
      return { ...head, change: 'judged', verdict: String(body['verdict']), reason: String(body['reason']) }
    case 'delos.ConfigActivated':
      return { ...head, change: 'active', previous: body['previous'] as number | null }
    case 'delos.ConfigRolledBack':
      return { ...head, change: 'rolled-back', to: Number(body['to']), reason: String(body['reason']) }
    default:
      return null
  }
}

export function renderConfigChange(change: ConfigChange, view: View): string {
  const head = paint(view, 'dim', `${String(change.position).padStart(6)}  ${iso(change.at)}`)
  return `${head}  ${change.name} ${change.version} ${changeText(change)}`
}

function changeText(change: ConfigChange): string {
  const reason = change.reason === undefined || change.reason === '' ? '' : `: ${change.reason}`
  if (change.change === 'on-trial')
    return `on trial with ${formatShare(change.sharePpm ?? 0)} of the readers, ${formatDuration(change.forMs ?? 0)} at most`
  if (change.change === 'judged') return `judged ${change.verdict === 'pass' ? 'good' : 'bad'}${reason}`
  if (change.change === 'rolled-back') return `rolled back to ${change.to}${reason}`
  return change.previous === null ? 'active' : `active, was ${change.previous}`
}
