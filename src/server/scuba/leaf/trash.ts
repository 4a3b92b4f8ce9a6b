import { rm } from 'node:fs/promises'
import { placeOf } from '../../../core/scuba/clickhouse/place.ts'
import type { Logger } from '../../../platform/logger.ts'

export interface TrashOptions {
  log: Logger
  /** drops what is in ClickHouse */
  dropAway: (paths: readonly string[]) => Promise<unknown> | undefined
  /** files are gone: the disk has more room than was last seen */
  onEmptied: () => void
}

/** Files that are no longer part of any table, until no running query can be reading them. What stays is removed at the next start. */
export class Trash {
  readonly #options: TrashOptions
  #readings = 0
  #waiting: string[] = []
  #emptying = 0
  /** one file after the other: the kernel takes 10 ms and more to free a large one, and acknowledgements do not wait for that */
  #removed: Promise<void> = Promise.resolve()

  constructor(options: TrashOptions) {
    this.#options = options
  }

  /** Some are still there. */
  get isFull(): boolean {
    return this.#waiting.length + this.#emptying > 0
  }

  /** Whether it waits to be removed. */
  has(path: string): boolean {
    return this.#waiting.includes(path)
  }

  /** Files stay until what it gives is called. */
  hold(): () => void {
    this.#readings += 1
    let isHeld = true
    return () => {
      if (!isHeld) return
      isHeld = false
      this.#readings -= 1
      this.#empty()
    }
  }

  add(paths: readonly string[]): void {
    this.#waiting.push(...paths)
    this.#empty()
  }

  /** Resolves when what is being removed is. */
  settled(): Promise<void> {
    return this.#removed
  }

  #empty(): void {
    if (this.#readings > 0 || this.#waiting.length === 0) return
    const { log, dropAway, onEmptied } = this.#options
    const paths = this.#waiting
    this.#waiting = []
    this.#emptying += 1
    this.#removed = this.#removed.then(async () => {
      for (const path of paths)
        if (placeOf(path) === null)
          await rm(path, { force: true, recursive: true }).catch((error: unknown) =>
            log.warn('a file could not be removed', { path, error: String(error) }),
          )
      this.#emptying -= 1
      onEmptied()
    })
    const away = paths.filter((path) => placeOf(path) !== null)
    if (away.length === 0) return
    void dropAway(away)?.catch((error: unknown) =>
      log.warn('segments could not be dropped from ClickHouse; they are swept up later', { error: String(error) }),
    )
  }
}
