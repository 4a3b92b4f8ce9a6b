import type { z } from 'zod'
import type { ReadDb } from '../../core/contracts/storage.ts'
import type { chainMarkSchema, chainServerSchema, logChain } from '../../core/delos/operations.ts'
import { logMoves } from '../../core/delos/queries.ts'
import type { Segment } from '../../core/delos/virtual-log/value.ts'
import { rolloutSpans } from '../../core/deploy/queries.ts'
import { incidentSpans } from '../../core/sev/queries.ts'
import { batchHead } from '../state/entry-batch.ts'
import type { BatchSource } from '../state/entry-reader.ts'
import { FLEET_LOGS } from './fleet-logs.ts'
import type { Logs } from './log-views.ts'
import type { FleetServer } from './membership/fleet-calls.ts'
import type { VirtualLog } from './virtual-log/virtual-log.ts'

type Answer = z.output<typeof logChain.output>
type Mark = z.output<typeof chainMarkSchema>

export interface ChainSources {
  db: ReadDb
  /** log time, ms */
  now: number
  logs: Logs
  chains: Record<keyof Logs, Pick<VirtualLog, 'value' | 'lastGapMs' | 'localHead' | 'tail' | 'read'>>
  servers: readonly FleetServer[]
  /** how many marks of a kind */
  marks: number
}

/** Both chains at the positions people use, who keeps them, and what stands in them. */
export function describeChains({ db, now, logs, chains, servers, marks }: ChainSources): Answer {
  const names = new Map(servers.map(({ server, name }) => [server, name]))
  const described = FLEET_LOGS.map((log): Answer['logs'][number] => {
    const chain = chains[log]
    const { version, chain: segments, skips } = chain.value()
    const moves = new Map(logMoves(db, log).map(({ loglet, at, actor }) => [loglet, { at, actor }]))
    const [head, tail] = [logs[log].head(), logs[log].tail()]
    const positionOf = (batch: number): number => (log === 'kv' ? batch : Math.max(head, entryNumberAt(chain, batch, tail)))
    return {
      log,
      version,
      head,
      tail,
      segments: segments.map((segment) => ({
        loglet: segment.loglet.toString(16).padStart(8, '0'),
        kind: segment.kind,
        where: whereOf(segment, names),
        first: positionOf(segment.firstPosition),
        end: segment.end === null ? null : positionOf(segment.end),
        batchFirst: segment.firstPosition,
        batchEnd: segment.end,
        moved: moves.get(segment.loglet) ?? null,
      })),
      skips: skips.map(({ position, reason }) => ({ position: positionOf(position), reason })),
      lastGapMs: chain.lastGapMs(),
    }
  })
  return {
    now,
    logs: described,
    servers: servers.map((server) => serverOf(server, chains.control, logs.control.tail())),
    marks: marksOf(db, marks),
  }
}

/** Batches that are looked at for one that counts: more void ones in a row come of nothing but a quarrel of leaders. */
const VOID_MAX = 64

/** Number of the first entry at or behind a position of the control log's batches; 0 when it is kept no longer here. */
export function entryNumberAt(chain: BatchSource, batch: number, tail: number): number {
  if (batch < chain.localHead()) return 0
  for (let at = batch; at < Math.min(chain.tail(), batch + VOID_MAX); at += 1) {
    const [found] = chain.read(at, 1)
    if (found === undefined) break
    const { isVoid, first } = batchHead(at, found.payload)
    if (!isVoid) return first
  }
  return tail
}

function serverOf(server: FleetServer, chain: BatchSource, tail: number): z.output<typeof chainServerSchema> {
  const { addresses: _, ...rest } = server
  const applied = server.lag === null ? null : server.lag === 0 ? tail : entryNumberAt(chain, chain.tail() - server.lag, tail)
  return { ...rest, applied }
}

function whereOf({ kind, config }: Pick<Segment, 'kind' | 'config'>, names: ReadonlyMap<number, string>): string {
  const name = (server: unknown): string => names.get(Number(server)) ?? `server ${String(server)}`
  const list = (servers: unknown): string => (Array.isArray(servers) ? servers.map(name).join(', ') : '')
  if (kind === 'etcd') return `${textsOf(config['endpoints'])} ${String(config['prefix'] ?? '')}`
  if (kind === 'file') return `a file of ${name(config['server'])}`
  const learners = list(config['learners'])
  return `voters ${list(config['voters'])}${learners === '' ? '' : `; learners ${learners}`}`
}

const textsOf = (texts: unknown): string => (Array.isArray(texts) ? texts.map(String).join(', ') : '')

/** Incidents and rollouts by where they stand, in order. */
function marksOf(db: ReadDb, limit: number): Mark[] {
  const incidents = incidentSpans(db, limit).map(({ number, title, level, state, isDrill, openedAt, from, to }): Mark => {
    return {
      kind: 'incident',
      id: String(number),
      title: `SEV${level} ${title}${isDrill ? ' (drill)' : ''}`,
      state,
      from,
      to,
      at: openedAt,
    }
  })
  const rollouts = rolloutSpans(db, limit).map(({ rollout, kind, service, release, state, from, to, atMs }): Mark => {
    return {
      kind: 'rollout',
      id: rollout,
      title: `${kind === 'rollback' ? 'rollback' : 'rollout'} of ${service} to ${release}`,
      state,
      from,
      to,
      at: atMs,
    }
  })
  return [...incidents, ...rollouts].sort((a, b) => a.from - b.from)
}
