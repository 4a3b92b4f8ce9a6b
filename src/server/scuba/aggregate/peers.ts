import { partialOfWire } from '../../../core/scuba/merge/wire.ts'
import type { Partial } from '../../../core/scuba/merge/partial.ts'
import { isMirrored } from '../../../core/scuba/names.ts'
import { isReplicated, type Peer } from '../../../core/scuba/registry.ts'
import { isWithoutShards } from '../../../core/scuba/shards/fate.ts'
import { branchesOf } from '../../../core/scuba/shards/branches.ts'
import type { Answered, Unanswered } from '../../../core/scuba/shards/coverage.ts'
import type { FollowingCopy } from '../../../core/scuba/shards/stand-in.ts'
import { rowsWithin, sumOfTables } from '../../../core/scuba/shards/table-sum.ts'
import type { Load } from '../../../core/scuba/shards/rendezvous.ts'
import type { TableInfo } from '../../../core/scuba/wire-types.ts'
import type { Store } from '../leaf/store.ts'
import type { PeerCalls } from './call.ts'
import { spread, type Target } from './spread.ts'
import { StandIns, type HeardOf, type Place } from './stand-ins.ts'
import type { PartialsAnswer, PartialsRequest } from './wire.ts'

/** What was last heard of another leaf. */
interface Heard extends HeardOf {
  tables: ReadonlyMap<string, TableInfo>
  load: Load | null
  /** shards whose rows are among its own */
  owns: readonly string[]
  hasAside: boolean
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
  readonly standIns = new StandIns()
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
    if (isMirrored(table)) return { holders: [], gone: [] }
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

  /** Looks at the others also while nobody asks, so that of one that falls silent it is known whether its copies followed. Called every two seconds. */
  async tick(): Promise<void> {
    if (this.#store.registry.current.shards.some(({ replicas }) => replicas.length > 0)) await this.learn()
  }

  /** Makes tables and columns of the others known here, as they were half a second ago or later. */
  async learn(): Promise<void> {
    if (this.isAlone || Date.now() - this.#lookedAtMs < KNOWN_MS) return
    this.#looking ??= this.#look().finally(() => (this.#looking = null))
    await this.#looking
  }

  /** Rows of a table went to another leaf. Whoever sent its first ones may ask for them at once. */
  passedOn(table: string): void {
    if (!this.#store.tableNames().has(table)) this.#lookedAtMs = 0
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
        return JSON.parse(body.toString('utf8')) as {
          tables: TableInfo[]
          load?: Load
          owns?: string[]
          copies?: FollowingCopy[]
          hasAside?: boolean
        }
      },
      { deadlineMs: LOOK_MS },
    )
    for (const { peer, value } of answers) {
      this.#heard.set(peer.id, {
        ...{ atMs: now, silentSinceMs: null, load: value.load ?? null, owns: value.owns ?? [] },
        ...{ copies: value.copies ?? [], hasAside: value.hasAside === true },
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
        ...{ copies: heard?.copies ?? [], hasAside: false },
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
    return this.#holdersOf(name).holders.reduce((sum, { id }) => {
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
    const { present, silent, missing } = this.#present(peers, rowsOf, asked.request.table)
    const partials: Partial[] = []
    const answered: Answered[] = []
    const askAll = async (branches: readonly (readonly Peer[])[], away: readonly Target<Place>[] = []): Promise<Peer[]> => {
      // A branch whose first leaf is dead must leave time to ask the others of it anew.
      const left = (until - performance.now()) * (branches.some(({ length }) => length > 1) ? 0.5 : 1)
      const heads = new Map(branches.flatMap(([head, ...under]) => (head === undefined ? [] : [[head, under] as const])))
      // One that answers for others too has no copy that could do that.
      const others = (peer: Peer, under: readonly Peer[]): Place[] => (under.length > 0 ? [] : this.#copiesOf(peer, asked.request.table))
      const result = await this.standIns.spread(
        [...[...heads].map(([peer, under]) => ({ peer: { of: peer, at: peer }, others: others(peer, under) })), ...away],
        async ({ of, at, copy }, stop) => {
          const body = {
            ...asked,
            ...(copy === undefined ? { under: heads.get(of) ?? [] } : { copy }),
            request: { ...asked.request, deadlineMs: Math.max(1, Math.floor(left * (1 - MARGIN))) },
          }
          const reply = await this.calls.post(at, 'partials', body, stop)
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
        missing.push({ leaf: peer.of.id, reason: reasonOf(error), rows: rowsOf(peer.of) })
        orphans.push(...(heads.get(peer.of) ?? []))
      }
      return orphans
    }
    // Those whose branch has lost its head are asked again, under another one.
    let orphans = await askAll(branchesOf(present), silent)
    while (orphans.length > 0 && until - performance.now() > 1 && !signal?.aborted) orphans = await askAll(branchesOf(orphans))
    for (const peer of orphans) missing.push({ leaf: peer.id, reason: 'no answer in time', rows: rowsOf(peer) })
    return { partials, answered, missing }
  }

  /**
   * Asks each whose rows of a table belong into answers and that is not known to be silent; with `byCopy`, in place of those that are slow or silent, who
   * holds a copy.
   * @throws what a leaf refuses because the question is too large
   */
  async each<T>(
    table: string,
    ask: (place: Place, signal: AbortSignal) => Promise<T>,
    { deadlineMs, signal }: Round,
    { among = this.list, byCopy = false }: { among?: readonly Peer[]; byCopy?: boolean } = {},
  ): Promise<{ answers: T[]; missing: Unanswered[] }> {
    const { holders, gone } = this.#holdersOf(table)
    const { present, silent, missing } = this.#present(
      holders.filter(({ id }) => among.some((peer) => peer.id === id)),
      () => null,
      byCopy ? table : null,
    )
    for (const { id } of gone) missing.push({ leaf: id, reason: TAKEN_OVER, rows: null })
    const targets = present.map((peer) => ({ peer: { of: peer, at: peer }, others: byCopy ? this.#copiesOf(peer, table) : [] }))
    const result = await this.standIns.spread([...targets, ...silent], ask, { deadlineMs: deadlineMs * (1 - MARGIN), signal })
    for (const { error } of result.missing) if ((error as { code?: unknown }).code === 'SCUBA_TOO_LARGE') throw error
    for (const { peer, error } of result.missing) missing.push({ leaf: peer.of.id, reason: reasonOf(error), rows: null })
    return { answers: result.answers.map(({ value }) => value), missing }
  }

  /** Those that have rows of a table, or of which nobody knows yet. */
  holding(table: string): Peer[] {
    return this.list.filter(({ id }) => this.rowsOf(id, table) !== 0)
  }

  /** How many rows of a table a leaf was last seen to hold within a range. */
  rowsOf(leaf: string, table: string, sinceMs = -Infinity, untilMs = Infinity): number | null {
    const heard = this.#heard.get(leaf)
    return !heard || heard.atMs === 0 ? null : rowsWithin(heard.tables.get(table), sinceMs, untilMs)
  }

  /** Whether it did not answer when it was last looked at. */
  isSilent(leaf: string): boolean {
    return (this.#heard.get(leaf)?.silentSinceMs ?? null) !== null
  }

  /** Whether it answers and has set rows aside that may be in no answer. */
  hasAside(leaf: string): boolean {
    return this.#heard.get(leaf)?.hasAside === true
  }

  /** What a leaf that answers has to do; null: it does not answer. */
  loadOf(leaf: string): Load | null {
    const heard = this.#heard.get(leaf)
    return heard === undefined || heard.silentSinceMs !== null ? null : heard.load
  }

  /** Who holds a copy of what a leaf has of a table; of one that is not copied, nobody. */
  #copiesOf(peer: Peer, table: string): Place[] {
    const { shards, tables } = this.#store.registry.current
    return isReplicated(tables[table]) ? this.standIns.placesOf(peer, table, shards, (leaf) => this.#heard.get(leaf)) : []
  }

  /** Those that answered when they were last looked at: for the others nobody waits, but copies of theirs are asked. @param table null: no copies */
  #present(
    peers: readonly Peer[],
    rowsOf: (peer: Peer) => number | null,
    table: string | null,
  ): { present: Peer[]; silent: Target<Place>[]; missing: Unanswered[] } {
    const present: Peer[] = []
    const silent: Target<Place>[] = []
    const missing: Unanswered[] = []
    for (const peer of peers) {
      const since = this.#heard.get(peer.id)?.silentSinceMs ?? null
      const [copy, ...others] = since === null || table === null ? [] : this.#copiesOf(peer, table)
      if (since === null) present.push(peer)
      else if (copy !== undefined) silent.push({ peer: copy, others })
      else missing.push({ leaf: peer.id, reason: `has not answered for ${Math.round((Date.now() - since) / 1000)} s`, rows: rowsOf(peer) })
    }
    return { present, silent, missing }
  }
}

const reasonOf = (error: unknown): string => (error as Error).message
