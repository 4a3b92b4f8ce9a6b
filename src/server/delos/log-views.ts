import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { z } from 'zod'
import type { Entry } from '../../core/contracts/entry.ts'
import { lockList, type logList, type logShow, type status } from '../../core/delos/operations.ts'
import { refuse } from '../../core/kernel/errors.ts'
import type { ControlStore } from './control-store.ts'
import { FLEET_LOGS } from './fleet-logs.ts'
import type { LeaderChange } from '../../core/delos/measure/server-page.ts'
import type { FleetServer } from './membership/fleet-calls.ts'
import type { VirtualLog } from './virtual-log/virtual-log.ts'
import { quorumConfigSchema } from '../../core/delos/virtual-log/quorum-config.ts'
import { lastSegment, type Segment } from '../../core/delos/virtual-log/value.ts'
import type { ReadableLog } from './kv-log.ts'

export type Logs = Record<'control' | 'kv', ReadableLog>

const CHUNK = 512
/** Entries looked through for a filtered list. */
const SEARCH_MAX = 200_000

/** Entries from a position on, or the last ones; filters by type and actor. Reads in slices, so that it holds nobody up. */
export async function listEntries(logs: Logs, input: z.output<typeof logList.input>): Promise<z.output<typeof logList.output>> {
  const log = logs[input.log]
  const [head, tail] = [log.head(), log.tail()]
  // The newest entries are some, whatever was trimmed; who says where to begin would be shown a beginning that is none.
  if (input.from !== undefined && input.from < head)
    throw refuse('DELOS_TRIMMED', `The log ${input.log} begins at ${head}; ${input.from} is no longer kept.`)
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

function readRange(log: ReadableLog, from: number, end: number): Entry[] {
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

export interface LogSources {
  logs: Logs
  chains: Record<keyof Logs, Pick<VirtualLog, 'value' | 'role' | 'lastGapMs'>>
  gaps: Record<keyof Logs, () => LeaderChange | null>
  servers: FleetServer[]
  /** of the logs */
  dir: string
  store: ControlStore
  /** where etcd's clients are answered, or null */
  etcd: string | null
}

export async function describeLogs({ logs, chains, gaps, servers, dir, store, etcd }: LogSources): Promise<z.output<typeof status.output>> {
  const { value } = await store.operate(lockList.name, { prefix: '' }, { actor: 'muster' })
  const { locks } = value as z.output<typeof lockList.output>
  const { revision, keyCount } = store.replica.store
  const nameOf = (id: bigint | string | null): string | null => {
    const hex = typeof id === 'string' ? id : (id?.toString(16) ?? '')
    return servers.find((server) => BigInt(`0x${server.id}`).toString(16) === hex)?.name ?? (hex || null)
  }
  const classes = {
    control: durabilityClass(lastSegment(chains.control.value()), false),
    kv: durabilityClass(lastSegment(chains.kv.value()), store.archive()),
  }
  const changeOf = (change: LeaderChange | null) =>
    change && { at: change.at, from: nameOf(change.from) ?? '', to: nameOf(change.to) ?? '', gapMs: Math.round(change.gapMs) }
  return {
    durability: classes.control,
    servers: servers.map(({ name, id, role, leads, region, trouble, state, lag, syncP50Ms, syncP99Ms, clockOffMs }) => ({
      ...{ name, id, role, leads, region, trouble, state, lag, syncP50Ms, syncP99Ms, clockOffMs },
    })),
    logs: FLEET_LOGS.map((log) => ({
      log,
      loglet: lastSegment(chains[log].value()).kind,
      leader: nameOf(chains[log].role().leader),
      durability: classes[log],
      lastChange: changeOf(gaps[log]()),
      lastSwitchGapMs: chains[log].lastGapMs(),
      head: logs[log].head(),
      tail: logs[log].tail(),
      dir: join(dir, log),
      bytes: sizeOf(join(dir, log)),
    })),
    kv: {
      revision,
      compacted: store.oldest(),
      keys: keyCount,
      leases: [...store.replica.store.leases()].length,
      locks: locks.length,
    },
    etcd,
  }
}

/** In the words of `delos status --endpoints`, too. */
export function durabilityClass({ kind, config }: Pick<Segment, 'kind' | 'config'>, isArchived: boolean): string {
  const made = kind === 'file' ? 'single' : kind === 'etcd' ? 'etcd' : classOfQuorum(quorumConfigSchema.parse(config).voters.length)
  return isArchived ? `${made}+archive` : made
}

const classOfQuorum = (voters: number): string => (voters === 1 ? 'single' : `quorum ${voters}`)

function sizeOf(dir: string): number {
  const names = readdirSync(dir, { recursive: true, encoding: 'utf8' })
  return names.reduce((sum, name) => {
    const found = statSync(join(dir, name), { throwIfNoEntry: false })
    return sum + (found?.isFile() ? found.size : 0)
  }, 0)
}
