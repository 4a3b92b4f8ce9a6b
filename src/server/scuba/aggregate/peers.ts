import type { IncomingMessage } from 'node:http'
import { partialOfWire } from '../../../core/scuba/merge/wire.ts'
import type { Partial } from '../../../core/scuba/merge/partial.ts'
import { isReplicated, type Peer } from '../../../core/scuba/registry.ts'
import { isWithoutShards } from '../../../core/scuba/shards/fate.ts'
import { branchesOf } from '../../../core/scuba/shards/branches.ts'
import type { Answered, Unanswered } from '../../../core/scuba/shards/coverage.ts'
import { sumOfTables } from '../../../core/scuba/shards/table-sum.ts'
import type { Load } from '../../../core/scuba/shards/rendezvous.ts'
import type { TableInfo } from '../../../core/scuba/wire-types.ts'
import type { Store } from '../leaf/store.ts'
import type { PeerCalls, PeerReply, Sent } from './call.ts'
import { spread } from './spread.ts'
import type { PartialsAnswer, PartialsRequest } from './wire.ts'

/** What was last heard of another leaf. */
interface Heard {
  atMs: number
  /** since when it has not answered; null: it does */
  silentSinceMs: number | null
  tables: ReadonlyMap<string, TableInfo>
  load: Load | null
  /** shards whose rows are among its own */
  owns: readonly string[]
}

/** How old what is known of others may be for a question. */
const KNOWN_MS = 500
const LOOK_MS = 2000

/** Why rows are missing of a leaf whose shards went to another. */
const TAKEN_OVER = 'its rows are being taken over'

/** Time of a question that is left for putting answers together. */
const MARGIN = 0.05

export interface Round {
  deadlineMs: number
  signal?: AbortSignal | undefined
}

/** The other leaves, as one of them sees them when it answers for all. */
export class Peers {
  readonly calls: PeerCalls
  readonly #store: Store
  readonly #name: string
  /** shards whose rows are among this leaf's */
  owns: () => readonly string[] = () => []
  readonly #heard = new Map<string, Heard>()
  #looking: Promise<void> | null = null
  #lookedAtMs = 0

  constructor(store: Store, name: string, calls: PeerCalls) {
    this.#store = store
    this.#name = name
    this.calls = calls
  }

  get list(): Peer[] {
    return this.#store.registry.current.leaves.filter(({ id }) => id !== this.#name)
  }

  /**
   * The others whose rows of a table belong into answers. Of a replicated table that is not one whose shards went to others, of any table not one that left: what it has they have,
   * and until they say so it is missing.
   */
  #holdersOf(table: string): { holders: Peer[]; gone: Peer[] } {
    const { shards, tables } = this.#store.registry.current
    const isCopied = isReplicated(tables[table])
    const isSuperseded = ({ id, isLeaving }: Peer): boolean => (isCopied || isLeaving === true) && isWithoutShards(shards, id)
    if (!this.list.some(isSuperseded)) return { holders: this.list, gone: [] }
    const isOwned = shards.every(({ id, primary }) =>
      (primary === this.#name ? this.owns() : (this.#heard.get(primary)?.owns ?? [])).includes(id),
    )
    return { holders: this.list.filter((peer) => !isSuperseded(peer)), gone: isOwned ? [] : this.list.filter(isSuperseded) }
  }

  /** How many others are asked for a table. */
  countOf(table: string): number {
    const { holders, gone } = this.#holdersOf(table)
    return holders.length + gone.length
  }

  get isAlone(): boolean {
    return this.list.length === 0
  }

  /** Makes tables and columns of the others known here, as they were half a second ago or later. */
  async learn(): Promise<void> {
    if (this.isAlone || Date.now() - this.#lookedAtMs < KNOWN_MS) return
    this.#looking ??= this.#look().finally(() => (this.#looking = null))
    await this.#looking
  }

  /** Nobody waits for those that were silent the last time; they are looked at beside. */
  async #look(): Promise<void> {
    const silent = this.list.filter(({ id }) => (this.#heard.get(id)?.silentSinceMs ?? null) !== null)
    void this.#ask(silent)
    await this.#ask(this.list.filter((peer) => !silent.includes(peer)))
    this.#lookedAtMs = Date.now()
  }

  async #ask(peers: readonly Peer[]): Promise<void> {
    const now = Date.now()
    const { answers, missing } = await spread(
      peers.map((peer) => ({ peer, others: [] })),
      async (peer, signal) => {
        const { body } = await this.calls.call(peer, 'GET', '/v1/scuba/tables?own=1', { signal })
        return JSON.parse(body.toString('utf8')) as { tables: TableInfo[]; load?: Load; owns?: string[] }
      },
      { deadlineMs: LOOK_MS },
    )
    for (const { peer, value } of answers) {
      this.#heard.set(peer.id, {
        ...{ atMs: now, silentSinceMs: null, load: value.load ?? null, owns: value.owns ?? [] },
        tables: new Map(value.tables.map((table) => [table.name, table])),
      })
      for (const { name, columns } of value.tables) this.#store.learnColumns(name, columns)
    }
    for (const { peer } of missing) {
      const heard = this.#heard.get(peer.id)
      this.#heard.set(peer.id, {
        atMs: heard?.atMs ?? 0,
        silentSinceMs: heard?.silentSinceMs ?? now,
        tables: heard?.tables ?? new Map(),
        load: null,
        owns: heard?.owns ?? [],
      })
    }
  }

  /** Tables of all leaves, with what each of them holds added up. */
  async tables(): Promise<TableInfo[]> {
    await this.learn()
    const all = new Map(this.#store.tables().map((table) => [table.name, table]))
    for (const { id } of this.list) {
      for (const table of this.#heard.get(id)?.tables.values() ?? []) {
        if (!this.#holdersOf(table.name).holders.some((peer) => peer.id === id)) continue
        const own = all.get(table.name)
        all.set(table.name, own ? sumOfTables(own, table) : table)
      }
    }
    return [...all.values()].sort((a, b) => (a.name < b.name ? -1 : 1))
  }

  /** One of them. @throws SCUBA_TABLE_UNKNOWN */
  async table(name: string): Promise<TableInfo> {
    await this.learn()
    const own = this.#store.table(name)
    return this.list.reduce((sum, { id }) => {
      const its = this.#heard.get(id)?.tables.get(name)
      return its === undefined ? sum : sumOfTables(sum, its)
    }, own)
  }

  /** The partials of one round of a panel, from every leaf but this one. */
  async partials(
    asked: Omit<PartialsRequest, 'under'>,
    round: Round,
  ): Promise<{ partials: Partial[]; answered: Answered[]; missing: Unanswered[] }> {
    const { sinceMs, untilMs, table } = asked.request
    const { holders, gone } = this.#holdersOf(table)
    const rowsOf = ({ id }: Peer): number | null => this.rowsOf(id, table, sinceMs, untilMs)
    const { missing, ...rest } = await this.merged(holders, asked, round, rowsOf)
    return { ...rest, missing: [...missing, ...gone.map((peer) => ({ leaf: peer.id, reason: TAKEN_OVER, rows: rowsOf(peer) }))] }
  }

  /** The same of some of them; used by one that answers for others, too. */
  async merged(
    peers: readonly Peer[],
    asked: Omit<PartialsRequest, 'under'>,
    { deadlineMs, signal }: Round,
    rowsOf: (peer: Peer) => number | null,
  ): Promise<{ partials: Partial[]; answered: Answered[]; missing: Unanswered[] }> {
    const until = performance.now() + deadlineMs * (1 - MARGIN)
    const { present, missing } = this.#present(peers, rowsOf)
    const partials: Partial[] = []
    const answered: Answered[] = []
    const askAll = async (branches: readonly (readonly Peer[])[]): Promise<Peer[]> => {
      // A branch whose first leaf is dead must leave time to ask the others of it anew.
      const left = (until - performance.now()) * (branches.some(({ length }) => length > 1) ? 0.5 : 1)
      const heads = new Map(branches.flatMap(([head, ...under]) => (head === undefined ? [] : [[head, under] as const])))
      const result = await spread(
        [...heads.keys()].map((peer) => ({ peer, others: [] })),
        async (peer, stop) => {
          const body = {
            ...asked,
            under: heads.get(peer) ?? [],
            request: { ...asked.request, deadlineMs: Math.max(1, Math.floor(left * (1 - MARGIN))) },
          }
          const reply = await this.post(peer, 'partials', body, stop)
          return JSON.parse(reply.body.toString('utf8')) as PartialsAnswer
        },
        { deadlineMs: left, signal },
      )
      for (const { value } of result.answers) {
        partials.push(partialOfWire(value.groups))
        answered.push(value)
      }
      const orphans: Peer[] = []
      for (const { peer, error } of result.missing) {
        missing.push({ leaf: peer.id, reason: reasonOf(error), rows: rowsOf(peer) })
        orphans.push(...(heads.get(peer) ?? []))
      }
      return orphans
    }
    // Those whose branch has lost its head are asked again, under another one.
    let orphans = await askAll(branchesOf(present))
    while (orphans.length > 0 && until - performance.now() > 1 && !signal?.aborted) orphans = await askAll(branchesOf(orphans))
    for (const peer of orphans) missing.push({ leaf: peer.id, reason: 'no answer in time', rows: rowsOf(peer) })
    return { partials, answered, missing }
  }

  /** Asks each whose rows of a table belong into answers and that is not known to be silent. @throws what a leaf refuses because the question is too large */
  async each<T>(
    table: string,
    ask: (peer: Peer, signal: AbortSignal) => Promise<T>,
    { deadlineMs, signal }: Round,
    among: readonly Peer[] = this.list,
  ): Promise<{ answers: T[]; missing: Unanswered[] }> {
    const { holders, gone } = this.#holdersOf(table)
    const { present, missing } = this.#present(
      holders.filter(({ id }) => among.some((peer) => peer.id === id)),
      () => null,
    )
    for (const { id } of gone) missing.push({ leaf: id, reason: TAKEN_OVER, rows: null })
    const result = await spread(
      present.map((peer) => ({ peer, others: [] })),
      ask,
      { deadlineMs: deadlineMs * (1 - MARGIN), signal },
    )
    for (const { error } of result.missing) if ((error as { code?: unknown }).code === 'SCUBA_TOO_LARGE') throw error
    for (const { peer, error } of result.missing) missing.push({ leaf: peer.id, reason: reasonOf(error), rows: null })
    return { answers: result.answers.map(({ value }) => value), missing }
  }

  /** Those that have rows of a table, or of which nobody knows yet. */
  holding(table: string): Peer[] {
    return this.list.filter(({ id }) => this.rowsOf(id, table) !== 0)
  }

  /** How many rows of a table a leaf was last seen to hold within a range; rows are thought to be spread evenly over its time. */
  rowsOf(leaf: string, table: string, sinceMs = -Infinity, untilMs = Infinity): number | null {
    const heard = this.#heard.get(leaf)
    if (!heard || heard.atMs === 0) return null
    const info = heard.tables.get(table)
    if (!info || info.fromMs === null || info.toMs === null) return 0
    const span = Math.max(1, info.toMs - info.fromMs)
    const inside = Math.min(info.toMs + 1, untilMs) - Math.max(info.fromMs, sinceMs)
    return inside <= 0 ? 0 : Math.ceil(info.rows * Math.min(1, inside / span))
  }

  /** Whether it did not answer when it was last looked at. */
  isSilent(leaf: string): boolean {
    return (this.#heard.get(leaf)?.silentSinceMs ?? null) !== null
  }

  /** What a leaf that answers has to do; null: it does not answer. */
  loadOf(leaf: string): Load | null {
    const heard = this.#heard.get(leaf)
    return heard === undefined || heard.silentSinceMs !== null ? null : heard.load
  }

  /** Those that answered when they were last looked at: for the others nobody waits. */
  #present(peers: readonly Peer[], rowsOf: (peer: Peer) => number | null): { present: Peer[]; missing: Unanswered[] } {
    const present: Peer[] = []
    const missing: Unanswered[] = []
    for (const peer of peers) {
      const since = this.#heard.get(peer.id)?.silentSinceMs ?? null
      if (since === null) present.push(peer)
      else missing.push({ leaf: peer.id, reason: `has not answered for ${Math.round((Date.now() - since) / 1000)} s`, rows: rowsOf(peer) })
    }
    return { present, missing }
  }

  post(peer: Peer, path: string, body: object, signal: AbortSignal): Promise<PeerReply> {
    return this.calls.call(peer, 'POST', `/v1/scuba/${path}`, { ...inJson(body), signal })
  }

  /** The same, with the body of the answer still to be read. */
  postFor(peer: Peer, path: string, body: object, signal: AbortSignal): Promise<IncomingMessage> {
    return this.calls.good(peer, 'POST', `/v1/scuba/${path}`, { ...inJson(body), signal })
  }
}

const inJson = (body: object): Sent => ({ body: JSON.stringify(body), headers: { 'content-type': 'application/json' } })

const reasonOf = (error: unknown): string => (error as Error).message
