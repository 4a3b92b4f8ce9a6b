import { LIMITS } from '../limits.ts'
import type { ColumnType } from '../rows/columns.ts'
import { microseconds, TIME_KEYS } from '../rows/time.ts'
import { TimeBounds } from './bounds.ts'
import type { RawShape } from './shape.ts'

/** What was seen of a body every line of which can be kept as it stands. */
export interface Scan {
  rows: number
  /** bounds of the rows' times, µs; the time received when they have none */
  minUs: number
  maxUs: number
  /** hour since the epoch → rows of it */
  hours: Map<number, number>
  /** names of columns in the order of their first value, each with the one type that holds all of its values */
  columns: Map<string, SeenColumn>
  shape: RawShape
}

export interface SeenColumn {
  type: Exclude<ColumnType, 'TIMESTAMP'>
  /** every number is written as text columns write it, so that one may hold them */
  isText: boolean
}

/** Kinds of values, as bits. */
const INTEGER = 1
/** a whole number written as a fraction, `1.0` */
const WHOLE = 2
const FRACTION = 4
const BOOLEAN = 8
const TEXT = 16
const OBJECT = 32
const ARRAY = 64

const NONE = -1
const KEYS_MAX = 4000

const QUOTE = 0x22
const BACKSLASH = 0x5c
const decoder = new TextDecoder()

/** 1: may stand in a text as it is. */
const PLAIN = new Uint8Array(256).fill(1)
PLAIN.fill(0, 0, 0x20)
PLAIN[QUOTE] = 0
PLAIN[BACKSLASH] = 0

/** A key at its place: the path to it is what its column is called. */
interface Slot {
  name: string
  path: string[]
  bytes: Uint8Array
  /** the slot that followed in the row before: what is looked at first */
  next: Slot | null
  /** kinds of values in the scan numbered `scan` */
  kinds: number
  scan: number
  /** the last row that had it: no key stands twice in a row */
  row: number
  /** place among the keys that may hold a row's time, or NONE */
  timeRank: number
  members: Members | null
}

class Members {
  readonly slots = new Map<string, Slot>()
  first: Slot | null = null
}

/**
 * Looks through NDJSON without making objects of it: whether each line is a JSON object that can be kept as it stands, and which
 * keys, kinds of values and times there are. It guesses each key from the one that followed in the row before, so one is kept
 * per table. Rows of 421 bytes pass at some hundred MB a second.
 */
export class RowScanner {
  readonly #timeKeys: readonly string[]
  #root = new Members()
  #keys = 0
  #scans = 0
  #row = 0
  #seen: Slot[] = []
  #bytes: Uint8Array = new Uint8Array(0)
  /** of the value just passed */
  #kind = 0
  #value = 0
  /** of the row: its time so far, of which rank and kind */
  #timeRank = NONE
  #timeUs = 0
  #timeKind = 0
  #isReadable = true

  /** @param timeField the one key that holds a row's time; null: the usual ones */
  constructor(timeField: string | null = null) {
    this.#timeKeys = timeField === null ? TIME_KEYS : [timeField]
  }

  /**
   * @param bytes whole lines in UTF-8, the last one with or without its end
   * @returns null when some line has to be looked at in another way: not JSON, a key twice or in two spellings, a text to be
   *   cut, an integer beyond 2^53, a time that is missing in some rows, cannot be read or is ahead, values of several types
   */
  scan(bytes: Uint8Array, receivedMs: number): Scan | null {
    if (this.#keys > KEYS_MAX) this.#forget()
    this.#bytes = bytes
    this.#scans += 1
    this.#seen = []
    const aheadUs = (receivedMs + LIMITS.futureMsMax) * 1000
    const bounds = new TimeBounds()
    let rank = NONE
    let timeKinds = 0
    for (let at = 0; at < bytes.length;) {
      const end = this.#line(at)
      if (end < 0 || end - at > LIMITS.rowBytesMax) return null
      at = end
      if (bounds.rows === 0) rank = this.#timeRank
      else if (rank !== this.#timeRank) return null
      timeKinds |= this.#timeKind
      const us = rank === NONE ? receivedMs * 1000 : this.#timeUs
      if (us > aheadUs) return null
      bounds.add(us)
    }
    if (bounds.rows === 0) return null
    const time = timeOf(rank === NONE ? null : (this.#timeKeys[rank] ?? null), timeKinds)
    if (time === undefined) return null
    return this.#described(bounds.end(), time)
  }

  #described(scan: Omit<Scan, 'columns' | 'shape'>, time: RawShape['time']): Scan | null {
    const columns = new Map<string, SeenColumn>()
    const spellings = new Set<string>()
    const shape: RawShape = { time, objects: [], arrays: [] }
    for (const { name, path, kinds } of this.#seen) {
      const spelling = name.toLowerCase()
      if (spellings.has(spelling)) return null
      spellings.add(spelling)
      if (path.length === 1 && name === time?.key) continue
      if (kinds === OBJECT) shape.objects.push(path)
      else if (kinds === ARRAY) shape.arrays.push(path)
      else if (kinds !== 0) {
        const type = typeOf(kinds)
        if (type === null) return null
        columns.set(name, { type, isText: (kinds & (WHOLE | FRACTION)) === 0 })
      }
    }
    shape.objects.sort(byName)
    shape.arrays.sort(byName)
    // A key with a dot that looks like a member of an object beside it.
    for (const { name, path } of this.#seen)
      if (path.length === 1 && name.includes('.') && shape.objects.some((object) => name.startsWith(`${object.join('.')}.`))) return null
    return { ...scan, columns, shape }
  }

  /** One line: a JSON object, then its end. Gives the place after it, or -1. */
  #line(start: number): number {
    this.#row += 1
    this.#timeRank = NONE
    this.#timeKind = 0
    this.#isReadable = true
    const bytes = this.#bytes
    if (bytes[start] !== 0x7b) return NONE
    let at = this.#object(start + 1, this.#root, null)
    if (at < 0 || !this.#isReadable) return NONE
    while (bytes[at] === 0x20 || bytes[at] === 0x0d || bytes[at] === 0x09) at += 1
    if (at >= bytes.length) return at
    return bytes[at] === 0x0a ? at + 1 : NONE
  }

  /** Members up to the brace that ends them; `at` is behind the one that begins them. */
  #object(start: number, members: Members, parent: Slot | null): number {
    const bytes = this.#bytes
    let at = this.#space(start)
    if (bytes[at] === 0x7d) return at + 1
    let guess = members.first
    let before: Slot | null = null
    for (;;) {
      if (bytes[at] !== QUOTE) return NONE
      at += 1
      let slot = guess
      let end = slot === null ? NONE : this.#matches(at, slot.bytes)
      if (end < 0) {
        end = this.#plainText(at)
        if (end < 0) return NONE
        slot = this.#slot(members, parent, at, end)
        if (slot === null) return NONE
        if (before === null) members.first = slot
        else before.next = slot
      }
      if (slot === null || slot.row === this.#row) return NONE
      slot.row = this.#row
      at = this.#space(end + 1)
      if (bytes[at] !== 0x3a) return NONE
      at = this.#space(at + 1)
      const from = at
      at = this.#value_(at, slot)
      if (at < 0) return NONE
      if (slot.scan !== this.#scans) {
        slot.scan = this.#scans
        slot.kinds = 0
        this.#seen.push(slot)
      }
      slot.kinds |= this.#kind
      if (slot.timeRank >= 0 && this.#kind !== 0) this.#time(slot, from, at)
      at = this.#space(at)
      if (bytes[at] === 0x2c) at = this.#space(at + 1)
      else return bytes[at] === 0x7d ? at + 1 : NONE
      before = slot
      guess = slot.next
    }
  }

  /** The end of the key when it stands at `at`, else -1. */
  #matches(at: number, key: Uint8Array): number {
    const bytes = this.#bytes
    const end = at + key.length
    if (bytes[end] !== QUOTE) return NONE
    for (let i = 0; i < key.length; i += 1) if (bytes[at + i] !== key[i]) return NONE
    return end
  }

  #slot(members: Members, parent: Slot | null, at: number, end: number): Slot | null {
    if (end === at || end - at > LIMITS.keyBytesMax) return null
    const key = decoder.decode(this.#bytes.subarray(at, end))
    let slot = members.slots.get(key)
    if (slot) return slot
    const path = parent === null ? [key] : [...parent.path, key]
    slot = {
      name: path.join('.'),
      path,
      // A copy: a view would keep the whole body, whose memory is used again.
      bytes: Uint8Array.from(this.#bytes.subarray(at, end)),
      next: null,
      kinds: 0,
      scan: 0,
      row: 0,
      timeRank: parent === null ? this.#timeKeys.indexOf(key) : NONE,
      members: null,
    }
    members.slots.set(key, slot)
    this.#keys += 1
    return slot
  }

  /** Passes a value and leaves its kind in `#kind` (0: null); gives the place after it, or -1. */
  #value_(at: number, slot: Slot): number {
    const bytes = this.#bytes
    switch (bytes[at]) {
      case QUOTE: {
        this.#kind = TEXT
        const end = this.#text(at + 1)
        return end < 0 || end - at > LIMITS.valueBytesMax ? NONE : end + 1
      }
      case 0x7b: {
        // A level more than what becomes columns.
        if (slot.path.length >= LIMITS.nestingMax) return NONE
        slot.members ??= new Members()
        const end = this.#object(at + 1, slot.members, slot)
        this.#kind = OBJECT
        return end
      }
      case 0x5b: {
        const end = this.#array(at + 1, 1)
        this.#kind = ARRAY
        return end
      }
      default:
        return this.#atom(at)
    }
  }

  #atom(at: number): number {
    const bytes = this.#bytes
    switch (bytes[at]) {
      case 0x74:
        this.#kind = BOOLEAN
        return bytes[at + 1] === 0x72 && bytes[at + 2] === 0x75 && bytes[at + 3] === 0x65 ? at + 4 : NONE
      case 0x66:
        this.#kind = BOOLEAN
        return bytes[at + 1] === 0x61 && bytes[at + 2] === 0x6c && bytes[at + 3] === 0x73 && bytes[at + 4] === 0x65 ? at + 5 : NONE
      case 0x6e:
        this.#kind = 0
        return bytes[at + 1] === 0x75 && bytes[at + 2] === 0x6c && bytes[at + 3] === 0x6c ? at + 4 : NONE
      default:
        return this.#number(at)
    }
  }

  /** Arrays are kept as they stand; only their grammar is looked at. */
  #array(start: number, depth: number): number {
    const bytes = this.#bytes
    if (depth > 64) return NONE
    let at = this.#space(start)
    if (bytes[at] === 0x5d) return at + 1
    for (;;) {
      at = this.#element(at, depth)
      if (at < 0) return NONE
      at = this.#space(at)
      if (bytes[at] === 0x2c) at = this.#space(at + 1)
      else return bytes[at] === 0x5d ? at + 1 : NONE
    }
  }

  #element(at: number, depth: number): number {
    const bytes = this.#bytes
    if (bytes[at] === QUOTE) {
      const end = this.#text(at + 1)
      return end < 0 ? NONE : end + 1
    }
    if (bytes[at] === 0x5b) return this.#array(at + 1, depth + 1)
    // What stands in objects of arrays could have a key twice, which JSON allows and the engine does not.
    if (bytes[at] === 0x7b) return NONE
    return this.#atom(at)
  }

  /** JSON's grammar of numbers; -1 for those that JavaScript cannot hold exactly, and for -0. */
  #number(start: number): number {
    const bytes = this.#bytes
    let at = start
    const isNegative = bytes[at] === 0x2d
    if (isNegative) at += 1
    const first = at
    let value = 0
    let digit = (bytes[at] ?? 0) - 0x30
    while (digit >= 0 && digit <= 9) {
      value = value * 10 + digit
      at += 1
      digit = (bytes[at] ?? 0) - 0x30
    }
    const digits = at - first
    if (digits === 0 || (digits > 1 && bytes[first] === 0x30)) return NONE
    this.#kind = INTEGER
    this.#value = value
    const mark = bytes[at]
    if (mark !== 0x2e && mark !== 0x65 && mark !== 0x45) {
      if (isNegative && value === 0) return NONE
      // Times in nanoseconds are the only ones that may be larger; see `#time`.
      if (digits > 15 && value > Number.MAX_SAFE_INTEGER) this.#kind = FRACTION
      return at
    }
    return this.#fraction(start, at)
  }

  #fraction(start: number, mark: number): number {
    const bytes = this.#bytes
    let at = mark
    let isWhole = true
    if (bytes[at] === 0x2e) {
      const first = (at += 1)
      for (let byte = bytes[at] ?? 0; byte >= 0x30 && byte <= 0x39; byte = bytes[at] ?? 0) {
        if (byte !== 0x30) isWhole = false
        at += 1
      }
      if (at === first) return NONE
    }
    const hasExponent = bytes[at] === 0x65 || bytes[at] === 0x45
    if (hasExponent) {
      at += 1
      if (bytes[at] === 0x2b || bytes[at] === 0x2d) at += 1
      const first = at
      while ((bytes[at] ?? 0) >= 0x30 && (bytes[at] ?? 0) <= 0x39) at += 1
      if (at === first) return NONE
    }
    this.#kind = FRACTION
    if (!isWhole && !hasExponent && at - start < 300) return at
    const value = Number(decoder.decode(bytes.subarray(start, at)))
    if (!Number.isFinite(value) || Object.is(value, -0)) return NONE
    if (Number.isSafeInteger(value)) this.#kind = WHOLE
    return at
  }

  /** The end of a text, its quote; or -1. */
  #text(start: number): number {
    const bytes = this.#bytes
    let at = start
    for (;;) {
      while (PLAIN[bytes[at] ?? 0] === 1) at += 1
      if (bytes[at] === QUOTE) return at
      if (bytes[at] !== BACKSLASH) return NONE
      at = this.#escape(at + 1)
      if (at < 0) return NONE
    }
  }

  /** A key without escapes: the others are rare enough to be read in another way. */
  #plainText(start: number): number {
    const bytes = this.#bytes
    let at = start
    while (PLAIN[bytes[at] ?? 0] === 1) at += 1
    return bytes[at] === QUOTE ? at : NONE
  }

  #escape(at: number): number {
    switch (this.#bytes[at]) {
      case QUOTE:
      case BACKSLASH:
      case 0x2f:
      case 0x62:
      case 0x66:
      case 0x6e:
      case 0x72:
      case 0x74:
        return at + 1
      case 0x75: {
        const unit = this.#hex(at + 1)
        if (unit <= 0) return NONE
        if (unit < 0xd800 || unit > 0xdfff) return at + 5
        // Halves of a pair are text together only.
        if (unit > 0xdbff || this.#bytes[at + 5] !== BACKSLASH || this.#bytes[at + 6] !== 0x75) return NONE
        const low = this.#hex(at + 7)
        return low >= 0xdc00 && low <= 0xdfff ? at + 11 : NONE
      }
      default:
        return NONE
    }
  }

  #hex(at: number): number {
    let value = 0
    for (let i = at; i < at + 4; i += 1) {
      const byte = this.#bytes[i] ?? 0
      const digit =
        byte >= 0x30 && byte <= 0x39
          ? byte - 0x30
          : byte >= 0x41 && byte <= 0x46
            ? byte - 55
            : byte >= 0x61 && byte <= 0x66
              ? byte - 87
              : NONE
      if (digit < 0) return NONE
      value = value * 16 + digit
    }
    return value
  }

  #space(start: number): number {
    const bytes = this.#bytes
    let at = start
    while (bytes[at] === 0x20 || bytes[at] === 0x09 || bytes[at] === 0x0d) at += 1
    return at
  }

  /** The row's time is that of the first key in order that has one. One that cannot be read is for another way. */
  #time(slot: Slot, from: number, to: number): void {
    const us = this.#microseconds(from, to)
    if (us === null) this.#isReadable = false
    else if (this.#timeRank < 0 || slot.timeRank < this.#timeRank) {
      this.#timeRank = slot.timeRank
      this.#timeUs = us
      this.#timeKind = this.#kind
    }
  }

  #microseconds(from: number, to: number): number | null {
    if (this.#kind === INTEGER) return microseconds(this.#value * (this.#bytes[from] === 0x2d ? -1 : 1))
    const text = decoder.decode(this.#bytes.subarray(from, to))
    if (this.#kind === TEXT) return PLAIN_ISO.test(text) ? microseconds(text.slice(1, -1)) : null
    return this.#kind === WHOLE || this.#kind === FRACTION ? microseconds(Number(text)) : null
  }

  #forget(): void {
    this.#root = new Members()
    this.#keys = 0
  }
}

/** Times that the engine reads as we do: no zone or UTC, at most microseconds. */
const PLAIN_ISO = /^"\d{4}-\d\d-\d\d[T ]([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d{1,6})?(Z|[+-]00:00)?"$/

const byName = (a: readonly string[], b: readonly string[]): number => (a.join('\0') < b.join('\0') ? -1 : 1)

function timeOf(key: string | null, kinds: number): RawShape['time'] | undefined {
  if (key === null) return null
  if (kinds === TEXT) return { key, form: 'text' }
  if (kinds === INTEGER) return { key, form: 'integer' }
  return (kinds & ~(INTEGER | WHOLE | FRACTION)) === 0 ? { key, form: 'number' } : undefined
}

function typeOf(kinds: number): SeenColumn['type'] | null {
  if (kinds === TEXT) return 'VARCHAR'
  if (kinds === BOOLEAN) return 'BOOLEAN'
  if ((kinds & ~(INTEGER | WHOLE)) === 0) return 'BIGINT'
  return (kinds & ~(INTEGER | WHOLE | FRACTION)) === 0 ? 'DOUBLE' : null
}
