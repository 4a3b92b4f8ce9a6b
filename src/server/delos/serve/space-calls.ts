import { statSync } from 'node:fs'
import { z } from 'zod'
import { presentServers } from '../../../core/delos/virtual-log/value.ts'
import { isRefusal } from '../../../core/kernel/errors.ts'
import type { Archiver } from '../archive/archiver.ts'
import type { Materialiser } from '../store/materialiser.ts'
import type { Replica } from '../store/replica.ts'
import type { KeptCopy } from '../store/snapshot-source.ts'
import type { VirtualLog } from '../virtual-log/virtual-log.ts'
import type { Refusal } from './admin-refusal.ts'
import { readLog } from './read-log.ts'
import type { Trimming, TrimReport } from './trimming.ts'

export interface SpaceCallsOptions {
  /** name of this server */
  name: string
  log: VirtualLog
  archiver: Archiver
  trimming: Trimming
  replica: Pick<Replica, 'applied' | 'store'>
  materialiser: Materialiser
  kvDb: string
  copies: () => KeptCopy[]
}

const archiveSchema = z.object({
  /** absolute; null: nowhere any more; left out: nothing is changed */
  to: z.string().nullable().optional(),
  everyMs: z.number().int().min(1000).max(3_600_000).default(60_000),
})
const readSchema = z.object({
  from: z.number().int().min(1),
  to: z.number().int().min(1),
  /** positions of a digest */
  step: z.number().int().min(1).max(10_000).default(1000),
})
const trimSchema = z.object({ dryRun: z.boolean().default(false) })

/** Calls of `delos log archive`, `delos log trim`, `delos log verify --against-peers` and `delos snapshot ls`, each about the server that is asked. */
export function spaceCalls(options: SpaceCallsOptions): Record<string, (body: unknown) => Promise<object | Refusal>> {
  const { name, log, archiver, trimming } = options
  const archive = async (body: unknown): Promise<object | Refusal> => {
    const asked = archiveSchema.safeParse(body)
    if (!asked.success) return { code: 'USAGE', message: asked.error.issues[0]?.message ?? 'not understood' }
    const { to, everyMs } = asked.data
    try {
      if (to !== undefined) await archiver.set(to === null ? null : { to, everyMs })
    } catch (error) {
      if (isRefusal(error)) return { code: error.code, message: error.message }
      return { code: 'UNAVAILABLE', message: `${name} cannot archive to ${to}: ${(error as Error).message}` }
    }
    return { name, archive: archiver.state() }
  }
  const trim = async (body: unknown): Promise<object | Refusal> => {
    const asked = trimSchema.safeParse(body ?? {})
    if (!asked.success) return { code: 'USAGE', message: asked.error.issues[0]?.message ?? 'not understood' }
    const before = log.head()
    if (!asked.data.dryRun) await trimming.trim()
    return trimAnswer({ name, log, before, report: trimming.report() })
  }
  const read = async (body: unknown): Promise<object | Refusal> => {
    const asked = readSchema.safeParse(body)
    return asked.success ? readLog(log, name, asked.data) : { code: 'USAGE', message: asked.error.issues[0]?.message ?? 'not understood' }
  }
  return {
    'log/archive': archive,
    'log/trim': trim,
    'log/read': read,
    'snapshot/list': async () => ({ name, snapshots: snapshotsOf(options) }),
  }
}

/** What `log trim` is answered: what is kept at a server, and who needs it. */
export function trimAnswer({ name, log, before, report }: { name: string; log: VirtualLog; before: number; report: TrimReport }): object {
  const { servers, ...rest } = report
  const names = new Map(presentServers(log.value()).map((server) => [BigInt(`0x${server.id}`), server.name]))
  return {
    ...{ name, before, ...rest },
    servers: servers.map(({ id, ...row }) => ({ id: id.toString(16), name: names.get(id) || id.toString(16), ...row })),
  }
}

/** A state of the store as it lies on the disk of a server. */
export interface SnapshotRow {
  /** `rows`: what the server starts from; `copy`: made for another server, and kept for a while */
  kind: 'rows' | 'copy'
  file: string
  position: number
  /** null: not known without reading it */
  revision: number | null
  /** ms since the epoch */
  at: number
  bytes: number
  /** null: it is written to all the time */
  sha256: string | null
}

function snapshotsOf({ replica, materialiser, kvDb, copies }: SpaceCallsOptions): SnapshotRow[] {
  const found = statSync(kvDb, { throwIfNoEntry: false })
  const position = materialiser.durablePosition()
  const revision = position === replica.applied ? replica.store.revision : null
  const rows: SnapshotRow[] =
    found === undefined || position === 0
      ? []
      : [{ kind: 'rows', file: kvDb, position, revision, at: Math.round(found.mtimeMs), bytes: found.size, sha256: null }]
  return [...rows, ...copies().map(({ sizeBytes: bytes, madeAt: at, ...copy }) => ({ kind: 'copy' as const, ...copy, at, bytes }))]
}
