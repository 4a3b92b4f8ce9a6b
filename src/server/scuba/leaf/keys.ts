import { existsSync, readFileSync } from 'node:fs'
import { appendFile, open, rename, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { LIMITS } from '../../../core/scuba/limits.ts'
import type { ReceiptList } from '../../../core/scuba/operations/receipts.ts'
import { syncDirectory } from '../../../platform/files.ts'

export interface KnownKey {
  digest: string
  accepted: number
  quarantined: number
  /** ms, received */
  at: number
}

/**
 * Idempotency keys of the last 24 hours, per table. They are durable with their batch in the journal; when a journal
 * file goes, they move to `keys.ndjson` first.
 */
export class Keys {
  readonly #path: string
  readonly #known = new Map<string, KnownKey>()
  /** not in the file yet */
  #unsaved: [string, KnownKey][] = []

  constructor(path: string) {
    this.#path = path
  }

  /** Reads the file; a torn last line is left out (its batch is still in the journal). */
  load(nowMs: number): void {
    if (!existsSync(this.#path)) return
    for (const line of readFileSync(this.#path, 'utf8').split('\n')) {
      try {
        const [id, known] = JSON.parse(line) as [string, KnownKey]
        if (known.at > nowMs - LIMITS.dedupeMs) this.#known.set(id, known)
      } catch {
        // The end of a write that was cut off.
      }
    }
  }

  get(table: string, key: string): KnownKey | undefined {
    return this.#known.get(`${table}\0${key}`)
  }

  /** The newest first. */
  find({
    table,
    key,
    isPrefix,
    limit,
  }: {
    table?: string | undefined
    key: string
    isPrefix: boolean
    limit: number
  }): ReceiptList['receipts'] {
    const found: ReceiptList['receipts'] = []
    for (const [id, { digest, accepted, quarantined, at }] of this.#known) {
      const end = id.indexOf('\0')
      const its = { table: id.slice(0, end), key: id.slice(end + 1) }
      if (table !== undefined && its.table !== table) continue
      if (isPrefix ? !its.key.startsWith(key) : its.key !== key) continue
      found.push({ ...its, accepted, quarantined, receivedMs: at, dedupeUntilMs: at + LIMITS.dedupeMs, digest })
    }
    return found.reverse().slice(0, limit)
  }

  /** Those of some tables that came in since then. */
  since(sinceMs: number, isWanted: (table: string) => boolean): [table: string, key: string, known: KnownKey][] {
    return [...this.#known].flatMap(([id, known]): [string, string, KnownKey][] => {
      const end = id.indexOf('\0')
      const table = id.slice(0, end)
      return known.at >= sinceMs && isWanted(table) ? [[table, id.slice(end + 1), known]] : []
    })
  }

  put(table: string, key: string, known: KnownKey): void {
    const id = `${table}\0${key}`
    this.#known.set(id, known)
    this.#unsaved.push([id, known])
    if (this.#known.size > LIMITS.dedupeKeysMax) this.#known.delete(this.#known.keys().next().value ?? '')
  }

  /** Keys of a table are known under its new name too: a batch that is sent again to it is added once. */
  async rename(table: string, to: string): Promise<void> {
    const prefix = `${table}\0`
    for (const [id, known] of [...this.#known]) if (id.startsWith(prefix)) this.put(to, id.slice(prefix.length), known)
    await this.save()
  }

  /** Keys of these tables were never here; it is durable when it resolves, but for those that the journal still holds. */
  async forget(tables: ReadonlySet<string>, nowMs: number): Promise<void> {
    const isGone = (id: string): boolean => tables.has(id.slice(0, id.indexOf('\0')))
    for (const id of [...this.#known.keys()]) if (isGone(id)) this.#known.delete(id)
    this.#unsaved = this.#unsaved.filter(([id]) => !isGone(id))
    await this.compact(nowMs)
  }

  /** Makes every key durable outside of the journal. */
  async save(): Promise<void> {
    if (this.#unsaved.length === 0) return
    const taken = this.#unsaved
    this.#unsaved = []
    try {
      await appendFile(this.#path, taken.map((pair) => `${JSON.stringify(pair)}\n`).join(''), { mode: 0o600, flush: true })
      await syncDirectory(dirname(this.#path))
    } catch (error) {
      this.#unsaved = [...taken, ...this.#unsaved]
      throw error
    }
  }

  /** Forgets old keys and writes the file anew. */
  async compact(nowMs: number): Promise<void> {
    for (const [id, { at }] of this.#known) {
      if (at > nowMs - LIMITS.dedupeMs && this.#known.size <= LIMITS.dedupeKeysMax) break
      this.#known.delete(id)
    }
    const temporary = `${this.#path}.tmp`
    const taken = this.#unsaved.length
    const all = [...this.#known]
    await writeFile(temporary, all.map((pair) => `${JSON.stringify(pair)}\n`).join(''), { mode: 0o600 })
    const handle = await open(temporary, 'r')
    await handle.sync().finally(() => handle.close())
    await rename(temporary, this.#path)
    this.#unsaved.splice(0, taken)
    await syncDirectory(dirname(this.#path))
  }
}
