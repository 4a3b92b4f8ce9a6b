/** Readers remembered, of all configurations together; then those go that have not read for the longest. */
export const READERS_MAX = 100_000
/** Who has not read for this long is forgotten. */
export const READER_KEPT_MS = 24 * 3_600_000

/** Who read a configuration, and the version that was given last. Times: ms, as given to {@link ConfigReaders.note}. */
export interface ConfigReader {
  reader: string
  version: number
  /** when it was given this version first */
  sinceMs: number
  lastMs: number
}

/**
 * Who reads which configuration, by the names that readers give of themselves. Known softly: a server that takes the lead knows nobody,
 * until they read again.
 */
export class ConfigReaders {
  /** configuration → reader → what it read; each map in the order of the last reads */
  readonly #configs = new Map<string, Map<string, ConfigReader>>()
  #count = 0

  note(name: string, reader: string, version: number, nowMs: number): void {
    let readers = this.#configs.get(name)
    if (readers === undefined) this.#configs.set(name, (readers = new Map()))
    const before = readers.get(reader)
    if (before === undefined) this.#count += 1
    else readers.delete(reader)
    readers.set(reader, { reader, version, sinceMs: before?.version === version ? before.sinceMs : nowMs, lastMs: nowMs })
    if (this.#count > READERS_MAX) this.#dropOldest()
  }

  /** By name of the reader. */
  of(name: string, nowMs: number): ConfigReader[] {
    const readers = this.#configs.get(name)
    if (readers === undefined) return []
    for (const [reader, { lastMs }] of readers) {
      if (nowMs - lastMs <= READER_KEPT_MS) break
      readers.delete(reader)
      this.#count -= 1
    }
    if (readers.size === 0) this.#configs.delete(name)
    return [...readers.values()].toSorted((a, b) => (a.reader < b.reader ? -1 : 1))
  }

  /** A tenth of the readers of the configuration that has the most. */
  #dropOldest(): void {
    const [most] = [...this.#configs.values()].toSorted((a, b) => b.size - a.size)
    if (most === undefined) return
    for (const reader of [...most.keys()].slice(0, Math.ceil(most.size / 10))) {
      most.delete(reader)
      this.#count -= 1
    }
  }
}
