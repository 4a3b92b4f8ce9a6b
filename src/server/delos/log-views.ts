import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { z } from 'zod'
import type { Entry } from '../../core/contracts/entry.ts'
import { allLeases, countRange, revisionOf } from '../../core/delos/kv/read.ts'
import type { logList, logShow, status } from '../../core/delos/operations.ts'
import { locks } from '../../core/delos/recipes/lock.ts'
import { refuse } from '../../core/kernel/errors.ts'
import type { ControlLog } from '../control-log.ts'
import type { ServerHost } from '../host.ts'

export type Logs = Record<'control' | 'kv', ControlLog>

const CHUNK = 512
/** Entries looked through for a filtered list, from the newest backwards. */
const SEARCH_MAX = 200_000

/** Entries from a position on, or the last ones; filters by type and actor. */
export function listEntries(logs: Logs, input: z.output<typeof logList.input>): z.output<typeof logList.output> {
  const log = logs[input.log]
  const [head, tail] = [log.head(), log.tail()]
  const matches = (entry: Entry): boolean => (input.type === undefined || entry.type.startsWith(input.type)) && (input.actor === undefined || entry.actor === input.actor)
  const entries = input.from === undefined ? lastEntries(log, input.limit, matches) : nextEntries(log, Math.max(input.from, head), input.limit, matches)
  return { log: input.log, head, tail, entries }
}

function nextEntries(log: ControlLog, from: number, limit: number, matches: (entry: Entry) => boolean): Entry[] {
  const found: Entry[] = []
  for (let at = from, looked = 0; at < log.tail() && found.length < limit && looked < SEARCH_MAX; ) {
    const entries = log.read(at, CHUNK)
    found.push(...entries.filter(matches))
    at += entries.length
    looked += entries.length
  }
  return found.slice(0, limit)
}

function lastEntries(log: ControlLog, limit: number, matches: (entry: Entry) => boolean): Entry[] {
  let found: Entry[] = []
  for (let end = log.tail(), looked = 0; end > log.head() && found.length < limit && looked < SEARCH_MAX; looked += CHUNK) {
    const from = Math.max(log.head(), end - CHUNK)
    found = [...nextEntries(log, from, end - from, (entry) => entry.position < end && matches(entry)), ...found]
    end = from
  }
  return found.slice(-limit)
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
