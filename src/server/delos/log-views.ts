import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { z } from 'zod'
import type { Entry } from '../../core/contracts/entry.ts'
import { allLeases, countRange, revisionOf } from '../../core/delos/kv/read.ts'
import type { logList, logShow, status } from '../../core/delos/operations.ts'
import { locks } from '../../core/delos/recipes/lock.ts'
import { refuse } from '../../core/kernel/errors.ts'
import type { ControlLog } from '../state/control-log.ts'
import type { ServerHost } from '../host.ts'

export type Logs = Record<'control' | 'kv', ControlLog>

const CHUNK = 512
/** Entries looked through for a filtered list. */
const SEARCH_MAX = 200_000

/** Entries from a position on, or the last ones; filters by type and actor. Reads in slices, so that it holds nobody up. */
export async function listEntries(logs: Logs, input: z.output<typeof logList.input>): Promise<z.output<typeof logList.output>> {
  const log = logs[input.log]
  const [head, tail] = [log.head(), log.tail()]
  const matches = (entry: Entry): boolean =>
    (input.type === undefined || entry.type.startsWith(input.type)) && (input.actor === undefined || entry.actor === input.actor)
  const isForward = input.from !== undefined
  let found: Entry[] = []
  let [from, end] = [Math.max(input.from ?? head, head), tail]
  for (let looked = 0; from < end && found.length < input.limit && looked < SEARCH_MAX; looked += CHUNK) {
    const start = isForward ? from : Math.max(from, end - CHUNK)
    const slice = readRange(log, start, Math.min(start + CHUNK, end)).filter(matches)
    found = isForward ? [...found, ...slice] : [...slice, ...found]
    if (isForward) from = Math.min(start + CHUNK, end)
    else end = start
    await new Promise((resolve) => setImmediate(resolve))
  }
  return { log: input.log, head, tail, entries: isForward ? found.slice(0, input.limit) : found.slice(-input.limit) }
}

function readRange(log: ControlLog, from: number, end: number): Entry[] {
  const found: Entry[] = []
  while (from + found.length < end) found.push(...log.read(from + found.length, end - from - found.length))
  return found
}

export function showEntry(logs: Logs, input: z.output<typeof logShow.input>): Entry {
  const log = logs[input.log]
  if (input.position >= log.tail()) throw refuse('NOT_FOUND', `The log ${input.log} ends before position ${log.tail()}.`)
  const [entry] = log.read(input.position, 1)
  if (entry === undefined) throw refuse('NOT_FOUND', `There is no entry at ${input.position}.`)
  return entry
}

export function describeLogs(logs: Logs, dir: string, kv: ServerHost): z.output<typeof status.output> {
  const { revision, compacted } = revisionOf(kv.db)
  return {
    durability: 'single (one disk)',
    logs: (['control', 'kv'] as const).map((log) => ({
      log,
      loglet: 'file',
      head: logs[log].head(),
      tail: logs[log].tail(),
      dir: join(dir, log),
      bytes: sizeOf(join(dir, log)),
    })),
    kv: {
      revision,
      compacted,
      keys: countRange(kv.db, { start: '', end: null }),
      leases: allLeases(kv.db).length,
      locks: locks(kv.db, '').length,
    },
  }
}

function sizeOf(dir: string): number {
  return readdirSync(dir).reduce((sum, name) => sum + (statSync(join(dir, name), { throwIfNoEntry: false })?.size ?? 0), 0)
}
