import { refuse } from '../../../core/kernel/errors.ts'
import type { CopyState } from '../../../core/scuba/observed.ts'
import { isReplicated, type Peer, type Shard } from '../../../core/scuba/registry.ts'
import type { FollowingCopy } from '../../../core/scuba/shards/stand-in.ts'
import type { Segment } from '../../../core/scuba/wal/manifest.ts'
import type { PeerCalls } from '../aggregate/call.ts'
import type { Sealer } from '../leaf/sealer.ts'
import type { Store } from '../leaf/store.ts'
import { Link, type CopiedBatch, type WhatIsCopied } from './link.ts'

/** Longest time that a sender waits for the copies of a batch. */
const CONFIRM_MS_MAX = 30_000

/** The copies of this leaf's rows of replicated tables, on the leaves that the map names: each is kept by a {@link Link} of its own. */
export class Copies {
  readonly #store: Store
  readonly #sealer: Sealer
  readonly #calls: PeerCalls
  readonly #name: string
  readonly #links = new Map<string, Link>()

  constructor(store: Store, sealer: Sealer, calls: PeerCalls, name: string) {
    this.#store = store
    this.#sealer = sealer
    this.#calls = calls
    this.#name = name
  }

  /** Holds on to what the map says; called when it is there, and when it changes. */
  follow(): void {
    const own = this.#shards()
    const wanted = new Map<string, Peer>(own.flatMap(({ replicas }) => replicas.map((peer) => [peer.id, peer] as const)))
    for (const [id, link] of this.#links) {
      const { address, node, server } = wanted.get(id) ?? {}
      if (address === link.peer.address && node === link.peer.node && server === link.peer.server) continue
      link.stop()
      this.#links.delete(id)
    }
    for (const [id, peer] of wanted) {
      if (this.#links.has(id)) continue
      const link = new Link(peer, {
        store: this.#store,
        sealer: this.#sealer,
        calls: this.#calls,
        of: this.#name,
        epochs: () => this.#epochs(),
        what: () => this.#what,
      })
      this.#links.set(id, link)
      link.start()
    }
  }

  /** A batch is in: it goes to every copy. Called in the order of their numbers. */
  offer(batch: CopiedBatch): void {
    for (const link of this.#links.values()) link.offer(batch)
  }

  /** Whether rows can be acknowledged by so many copies now. @throws SCUBA_DOWN */
  check(count: number): void {
    if (this.#links.size < count)
      throw away(
        `this table asks for ${count} ${count === 1 ? 'copy' : 'copies'} of each row, and ${this.#links.size} other leaves hold them`,
      )
    const link = [...this.#links.values()].find(({ state }) => state !== 'following')
    if (link) throw away(`leaf ${link.peer.id}, which holds a copy, ${link.state === 'away' ? 'does not answer' : 'is catching up'}`)
  }

  /** Resolves when every copy has that batch and all before it. @throws SCUBA_DOWN: the batch is on this leaf, and with its key may be sent again */
  async confirmed(seq: number, count: number): Promise<void> {
    this.check(count)
    const limit = AbortSignal.timeout(CONFIRM_MS_MAX)
    const all = [...this.#links.values()].map(async (link) => {
      if (!(await link.confirmed(seq, limit))) throw away(`leaf ${link.peer.id}, which holds a copy, did not say that it has the rows`)
    })
    await Promise.all(all)
  }

  /** Whether a table's batches go to copies. */
  isCopied(table: string): boolean {
    return this.#what !== 'replicated' || isReplicated(this.#store.registry.current.tables[table])
  }

  state(): CopyState[] {
    return [...this.#links.values()].map(({ peer, state, waitingBytes, what }) => ({ leaf: peer.id, state, waitingBytes, of: what }))
  }

  /** Copies that can answer for this leaf. */
  following(): FollowingCopy[] {
    return [...this.#links.values()].flatMap((link) => link.following() ?? [])
  }

  /** A segment's file from the first copy that has it as it was written; null: none has. */
  async fetch(segment: Segment, signal: AbortSignal): Promise<Buffer | null> {
    for (const link of this.#links.values()) {
      const bytes = await link.fetch(segment, signal)
      if (bytes !== null) return bytes
    }
    return null
  }

  stop(): void {
    for (const link of this.#links.values()) link.stop()
  }

  get #what(): WhatIsCopied {
    return this.#shards().find(({ leaving }) => leaving !== null)?.leaving ?? 'replicated'
  }

  #shards(): Shard[] {
    return this.#store.registry.current.shards.filter(({ primary }) => primary === this.#name)
  }

  #epochs(): Record<string, number> {
    return Object.fromEntries(this.#shards().map(({ id, epoch }) => [id, epoch]))
  }
}

const away = (why: string): Error =>
  refuse('SCUBA_DOWN', why, {
    hint: 'Keep the rows and send them again; with `--ack fsync` they are acknowledged without their copies, which follow.',
    details: { retryAfterMs: 1000 },
  })
