import type { View } from '../terminal.ts'
import { mark } from './style.ts'
import { table } from './table.ts'

export interface SegmentRow {
  loglet: string
  kind: string
  firstPosition: number
  end: number | null
  lastRound: number
  config: Record<string, unknown>
}

export interface MemberRow {
  server: number
  id: string
  name: string
  addresses: string[]
  role: string
}

export interface ChainAnswer {
  version: number
  chain: SegmentRow[]
  members: MemberRow[]
  skips: { position: number; reason: string }[]
  tail: number
  lastGapMs: number | null
}

export interface SwitchAnswer {
  version: number
  from: SegmentRow
  to: SegmentRow
  tries: number
  gapMs: number | null
}

export interface SwitchTrial {
  dryRun: true
  from: SegmentRow
  to: Pick<SegmentRow, 'kind' | 'config'> | null
  problem: string | null
}

/** A server of a context. */
export interface FleetMemberRow extends MemberRow {
  leads: boolean
  /** why it is not reached; null: it is */
  trouble: string | null
  /** batches of the control log that it is behind; null: not known */
  lag: number | null
  region?: string | null
}

/** The chain: where the log lies, piece by piece. */
export function renderChain({ version, chain, skips, tail, lastGapMs }: ChainAnswer, view: View): string {
  const rows = table(view, chain, [
    { title: 'loglet', cell: ({ loglet }) => loglet },
    { title: 'kind', cell: ({ kind }) => kind },
    { title: 'from', cell: ({ firstPosition }) => firstPosition, align: 'right' },
    { title: 'to', cell: ({ end }) => (end === null ? `${tail - 1}…` : end - 1), align: 'right' },
    { title: 'where', cell: (segment) => whereOf(segment), canShrink: true },
  ])
  const gap = lastGapMs === null ? '' : `; last switch: ${lastGapMs.toFixed(1)} ms without a change`
  const passed = skips.map(({ position, reason }) => `\nposition ${position} is skipped: ${reason}`).join('')
  return `${rows}\nversion ${version}${gap}${passed}`
}

export function renderSwitch(answer: SwitchAnswer | SwitchTrial): string {
  if ('dryRun' in answer) {
    const { from, to, problem } = answer
    if (to === null) return `nothing to do: the log is in ${from.kind} ${from.loglet} already`
    const verdict = problem === null ? 'could be made: its servers answer, and its files are ready' : `cannot be made: ${problem}`
    return `${from.kind} ${from.loglet} → ${to.kind} (${whereOf(to)}) ${verdict}; nothing was changed`
  }
  const { from, to, version, gapMs } = answer
  if (from.loglet === to.loglet) return `nothing to do: the log is in ${from.kind} ${from.loglet} already`
  const gap =
    gapMs === null ? 'nothing was written meanwhile' : `${gapMs.toFixed(1)} ms between the last change there and the first one here`
  return `${from.kind} ${from.loglet} → ${to.kind} ${to.loglet} from position ${to.firstPosition} on (version ${version}); ${gap}`
}

export function renderMembers(members: readonly MemberRow[], view: View): string {
  return table(view, members, [
    { title: 'id', cell: ({ id }) => id },
    { title: 'name', cell: ({ name }) => name },
    { title: 'role', cell: ({ role }) => role },
    { title: 'peer urls', cell: ({ addresses }) => addresses.join(','), canShrink: true },
  ])
}

export function renderFleetMembers(members: readonly FleetMemberRow[], view: View): string {
  return table(view, members, [
    { title: 'name', cell: ({ name }) => name },
    { title: 'role', cell: ({ role, leads }) => (leads ? 'leader' : role) },
    { title: 'region', cell: ({ region }) => region ?? '-' },
    { title: 'reached', cell: ({ trouble }) => (trouble === null ? mark(view, 'ok', 'yes') : mark(view, 'bad', trouble)), canShrink: true },
    { title: 'behind', cell: ({ lag }) => lag ?? '-', align: 'right' },
    { title: 'other servers at', cell: ({ addresses }) => addresses.join(','), canShrink: true },
    { title: 'id', cell: ({ id }) => id, isWide: true },
  ])
}

function whereOf({ kind, config }: Pick<SegmentRow, 'kind' | 'config'>): string {
  if (kind === 'etcd') return `${(config['endpoints'] as string[]).join(',')} ${String(config['prefix'])}`
  if (kind === 'file') return `server ${String(config['server'])}`
  const learners = config['learners'] as number[]
  return `voters ${(config['voters'] as number[]).join(' ')}${learners.length === 0 ? '' : `, learners ${learners.join(' ')}`}`
}
