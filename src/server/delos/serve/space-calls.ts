import { z } from 'zod'
import { presentServers } from '../../../core/delos/virtual-log/value.ts'
import { isRefusal } from '../../../core/kernel/errors.ts'
import type { Archiver } from '../archive/archiver.ts'
import type { VirtualLog } from '../virtual-log/virtual-log.ts'
import type { Refusal } from './admin.ts'
import type { Trimming } from './trimming.ts'

export interface SpaceCallsOptions {
  /** name of this server */
  name: string
  log: VirtualLog
  archiver: Archiver
  trimming: Trimming
}

const archiveSchema = z.object({
  /** absolute; null: nowhere any more; left out: nothing is changed */
  to: z.string().nullable().optional(),
  everyMs: z.number().int().min(1000).max(3_600_000).default(60_000),
})
const trimSchema = z.object({ dryRun: z.boolean().default(false) })

/** Calls of `delos log archive` and `delos log trim`, each about the server that is asked. */
export function spaceCalls({
  name,
  log,
  archiver,
  trimming,
}: SpaceCallsOptions): Record<string, (body: unknown) => Promise<object | Refusal>> {
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
    const { servers, ...report } = trimming.report()
    const names = new Map(presentServers(log.value()).map((server) => [BigInt(`0x${server.id}`), server.name]))
    return {
      ...{ name, before, ...report },
      servers: servers.map(({ id, ...row }) => ({ id: id.toString(16), name: names.get(id) ?? id.toString(16), ...row })),
    }
  }
  return { 'log/archive': archive, 'log/trim': trim }
}
