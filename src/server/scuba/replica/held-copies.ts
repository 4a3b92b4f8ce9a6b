import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { refuse } from '../../../core/kernel/errors.ts'
import type { HeldCopy } from '../../../core/scuba/observed.ts'
import { isReplicated, type Shard } from '../../../core/scuba/registry.ts'
import { fateOf } from '../../../core/scuba/shards/fate.ts'
import type { Taken } from '../../../core/scuba/shards/aside.ts'
import type { CopyAsked } from '../../../core/scuba/shards/stand-in.ts'
import type { Range, Reading } from '../leaf/reading.ts'
import type { Store } from '../leaf/store.ts'
import { replaceFileDurably } from '../../../platform/files.ts'
import { Held } from './held.ts'
import { readHeld } from './read-held.ts'
import { takeOver } from './take-over.ts'

/** Of takings over so many are remembered. */
const TAKEN_MAX = 1000

const LEAF = /^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/

/** The copies of other leaves' rows on this one, and what becomes of them when the map changes. */
export class HeldCopies {
  readonly #store: Store
  readonly #name: string
  readonly #dir: string
  readonly #held = new Map<string, Held>()
  #working: Promise<void> = Promise.resolve()

  constructor(store: Store, name: string) {
    this.#store = store
    this.#name = name
    this.#dir = join(store.dir, 'replica')
    mkdirSync(this.#dir, { recursive: true, mode: 0o700 })
    store.pendingRows = (table) => this.#pending().reduce((sum, { copy }) => sum + this.#rowsIn(copy, table), 0)
  }

  /** Reads what is there. */
  open(): void {
    for (const of of readdirSync(this.#dir)) {
      try {
        this.#held.set(of, new Held(join(this.#dir, of), of, this.#store))
      } catch (error) {
        // Its leaf makes it anew.
        this.#store.log.warn('a copy cannot be read and is dropped', { of, error: String(error) })
        rmSync(join(this.#dir, of), { recursive: true, force: true })
      }
    }
  }

  /**
   * The copy that a leaf sends to.
   * @param epochs of its shards, as it knows them; undefined: it only asks
   * @throws SCUBA_FENCED when the map of this leaf is newer and says that they are another's
   */
  of(leaf: string, epochs: Readonly<Record<string, number>> | undefined): Held {
    if (!LEAF.test(leaf)) throw refuse('USAGE', `${JSON.stringify(leaf)} is no name of a leaf`)
    const known = this.#held.get(leaf)
    if (known && this.#fate(known) === 'ours') throw refuse('SCUBA_FENCED', `the shards of leaf ${leaf} are this leaf's now`)
    for (const [id, epoch] of Object.entries(epochs ?? {})) {
      const shard = this.#shards.find((one) => one.id === id)
      if (shard && shard.epoch > epoch && shard.primary !== leaf)
        throw refuse('SCUBA_FENCED', `shard ${id} is of leaf ${shard.primary} since epoch ${shard.epoch}`)
    }
    if (known) return known
    const held = new Held(join(this.#dir, leaf), leaf, this.#store)
    this.#held.set(leaf, held)
    return held
  }

  /** A table of a leaf whose rows it holds, for one question, in that leaf's place. @throws SCUBA_DOWN when it is not known to be whole */
  async read(asked: CopyAsked, table: string, range: Range): Promise<Reading> {
    const held = this.#held.get(asked.leaf)
    if (held === undefined || this.#fate(held) !== 'kept')
      throw refuse('SCUBA_DOWN', `this leaf holds no copy of the rows of ${asked.leaf}`)
    return readHeld(this.#store, held, asked, table, range)
  }

  /** Whether a node's leaf keeps copies here: of `leaf`, or, without, of any. */
  isOf(node: string, leaf?: string): boolean {
    return this.#shards.some(
      (shard) =>
        shard.node === node && (leaf === undefined || shard.primary === leaf) && shard.replicas.some(({ id }) => id === this.#name),
    )
  }

  /** Shards that are its own by the map, and whose rows are among its own. */
  owns(): string[] {
    const pending = new Set(this.#pending().flatMap(({ copy }) => Object.keys(copy?.epochs ?? {})))
    return this.#shards.flatMap(({ id, primary }) => (primary === this.#name && !pending.has(id) ? [id] : []))
  }

  observed(): HeldCopy[] {
    return [...this.#held.values()].map((held) => held.observed())
  }

  /** Does what the map asks for: takes over what is ours now, drops what nobody wants here. Called when it changes, and each second. */
  tick(): Promise<void> {
    const done = this.#working.then(async () => {
      for (const held of [...this.#held.values()]) {
        held.tick()
        const fate = this.#fate(held)
        if (fate === 'kept') continue
        if (fate === 'ours') {
          // Before any of it counts: whoever it was may have rows that are not in it.
          this.#note({ of: held.of, epochs: held.copy?.epochs ?? {}, seq: await held.freeze() })
          await takeOver(this.#store, held)
        }
        await held.remove()
        this.#held.delete(held.of)
      }
    })
    this.#working = done.catch(() => undefined)
    return done
  }

  /** What it took over, and how far that went: by it is known what the others had beside. */
  taken(): Taken[] {
    return existsSync(this.#takenPath) ? (JSON.parse(readFileSync(this.#takenPath, 'utf8')) as Taken[]) : []
  }

  #note(taken: Taken): void {
    const others = this.taken().filter(({ of, epochs }) => of !== taken.of || !isDeepStrictEqual(epochs, taken.epochs))
    replaceFileDurably(this.#takenPath, JSON.stringify([...others, taken].slice(-TAKEN_MAX)))
  }

  get #takenPath(): string {
    return join(this.#store.dir, 'taken.json')
  }

  async close(): Promise<void> {
    await Promise.all([...this.#held.values()].map((held) => held.close()))
  }

  get #shards(): readonly Shard[] {
    return this.#store.registry.current.shards
  }

  #fate({ of, copy }: Held): ReturnType<typeof fateOf> {
    return fateOf(this.#shards, this.#name, of, copy?.epochs ?? null)
  }

  #pending(): Held[] {
    return [...this.#held.values()].filter((held) => this.#fate(held) === 'ours')
  }

  /** At least one of each table that it may be a copy of: of batches it is not known how many rows they are. */
  #rowsIn(copy: Held['copy'], table: string): number {
    const its = copy?.tables[table]
    if (its === undefined) return isReplicated(this.#store.registry.current.tables[table]) ? 1 : 0
    return its.segments.reduce((sum, { rows }) => sum + rows, 1)
  }
}
