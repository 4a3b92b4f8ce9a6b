import { LIMITS } from '../limits.ts'
import { Caps } from './caps.ts'

export type ColumnType = 'BOOLEAN' | 'BIGINT' | 'DOUBLE' | 'VARCHAR' | 'TIMESTAMP'

/** Name → type, as manifests, journals and answers carry it. */
export type ColumnTypes = Record<string, ColumnType>

/** Columns every table has, in this order. `_rest` holds, as JSON text, what has no column of its own. */
export const RESERVED: ColumnTypes = {
  time: 'TIMESTAMP',
  ingest_time: 'TIMESTAMP',
  time_source: 'VARCHAR',
  time_original: 'TIMESTAMP',
  _rest: 'VARCHAR',
}

export interface Column {
  name: string
  type: ColumnType
  /** `,"name":` as it is written into a chunk */
  prefix: string
  /** declared: its type is what it is, whatever rows bring */
  isFixed: boolean
  /** the last row that wrote it: no key stands twice in a line */
  row: number
}

/**
 * What is known of a table's columns. Names keep their first spelling and are compared without case, as the engine does.
 * Grows only: a column is never dropped while its table is there, its type only widens from BIGINT to DOUBLE, unless it is
 * declared anew.
 */
export class ColumnSet {
  #byKey = new Map<string, Column>()
  /** spelled key → column, for the path every row takes */
  #exact = new Map<string, Column>()
  #version = 0
  #row = 0
  #max: number = LIMITS.columnsMax
  /** since when new columns are counted, ms */
  #minuteMs = -Infinity
  #newInMinute = 0
  /** bounds that rows met */
  caps = new Caps()

  constructor(types: ColumnTypes = {}) {
    for (const [name, type] of Object.entries({ ...RESERVED, ...types })) this.#put(name, type)
  }

  /** Grows with every change. */
  get version(): number {
    return this.#version
  }

  get size(): number {
    return this.#byKey.size
  }

  /** How many columns it may have. */
  get max(): number {
    return this.#max
  }

  /** How many columns more it may have at a time, ms: as many as its maximum leaves, and what is left of those of this minute. */
  room(atMs: number): number {
    if (atMs >= this.#minuteMs + 60_000 || atMs < this.#minuteMs) {
      this.#minuteMs = atMs
      this.#newInMinute = 0
    }
    return Math.min(this.#max - this.#byKey.size, LIMITS.newColumnsMax - this.#newInMinute)
  }

  /** Begins a row; {@link take} then gives each column once. */
  beginRow(): void {
    this.#row += 1
  }

  /** Whether the row has not written this column yet. */
  take(column: Column): boolean {
    if (column.row === this.#row) return false
    column.row = this.#row
    return true
  }

  /** The column that exactly this spelling owns. */
  exact(name: string): Column | undefined {
    return this.#exact.get(name)
  }

  /** The column a person means, in any case. */
  find(name: string): Column | undefined {
    return this.#byKey.get(name.toLowerCase())
  }

  /**
   * Adds a column that a row brought at a time, ms; null when another spelling owns the name, the table is full, or too many came
   * within a minute, which is counted.
   */
  add(name: string, type: ColumnType, atMs: number): Column | null {
    const isTaken = this.#byKey.has(name.toLowerCase())
    if (isTaken || this.room(atMs) <= 0) {
      this.caps.add(isTaken ? 'spellings' : this.#byKey.size >= this.#max ? 'columns' : 'newColumns')
      return null
    }
    this.#newInMinute += 1
    return this.#put(name, type)
  }

  widen(column: Column): void {
    column.type = 'DOUBLE'
    this.#version += 1
  }

  /**
   * Takes over what is declared: types stand, whatever they were before. A column whose type was another one gets the side
   * column in which older values that do not fit are found.
   */
  declare(types: ColumnTypes, retyped: readonly string[], max: number | null): void {
    this.#max = Math.min(LIMITS.columnsMax, (max ?? LIMITS.columnsMax) + Object.keys(RESERVED).length)
    for (const column of this.#byKey.values()) column.isFixed = false
    for (const [name, type] of Object.entries(types)) {
      const column = this.find(name) ?? this.#put(name, type)
      const canChange = (column.type === 'BIGINT' && type === 'DOUBLE') || retyped.includes(name)
      // A type that rows brought a moment before stays: files hold such values, and nobody was told that they are to be fitted.
      if (column.type !== type && !canChange) continue
      column.isFixed = true
      if (column.type === type) continue
      column.type = type
      this.#version += 1
    }
    for (const name of retyped) if (!this.find(`${name}$str`)) this.#put(`${name}$str`, 'VARCHAR')
  }

  /** Forgets everything but the reserved columns. */
  reset(): void {
    this.#byKey.clear()
    this.#exact.clear()
    this.#max = LIMITS.columnsMax
    this.caps = new Caps()
    this.merge(RESERVED)
  }

  /** Takes over what a journal or manifest says: unknown columns are added, BIGINT widens. */
  merge(types: ColumnTypes): void {
    for (const [name, type] of Object.entries(types)) {
      const known = this.find(name)
      if (!known) this.#put(name, type)
      else if (known.type === 'BIGINT' && type === 'DOUBLE' && !known.isFixed) this.widen(known)
    }
  }

  toJSON(): ColumnTypes {
    return Object.fromEntries([...this.#byKey.values()].map(({ name, type }) => [name, type]))
  }

  names(): string[] {
    return [...this.#byKey.values()].map(({ name }) => name)
  }

  #put(name: string, type: ColumnType): Column {
    const column = { name, type, prefix: `,${JSON.stringify(name)}:`, isFixed: false, row: 0 }
    this.#byKey.set(name.toLowerCase(), column)
    this.#exact.set(name, column)
    this.#version += 1
    return column
  }
}
