import type { Entry } from './entry.ts'

/** The file loglet of one server, as a model: what is on disk, and what a crash takes. */
export class FileStore {
  /** on disk */
  entries: Entry[] = []
  isSealed = false
  queued: { entry: Entry | null; done: () => void }[] = []
  isSyncing = false
  readonly firstPosition: number

  constructor(firstPosition: number) {
    this.firstPosition = firstPosition
  }

  /** Position after the last entry on disk, and after the last one written. */
  get tail(): number {
    const last = this.entries.at(-1)
    return last === undefined ? this.firstPosition : last.position + last.count
  }

  get writtenTail(): number {
    const last = this.queued.findLast(({ entry }) => entry !== null)?.entry
    return last == null ? this.tail : last.position + last.count
  }

  /** What was not synced is there up to some write, or not. */
  crash(survivors: number): void {
    for (const { entry } of this.queued.slice(0, survivors)) {
      if (entry === null) this.isSealed = true
      else this.entries.push(entry)
    }
    this.queued = []
    this.isSyncing = false
  }

  /** fdatasync returned for the first `count` writes. */
  synced(count: number): void {
    const done = this.queued.splice(0, count)
    for (const { entry } of done) {
      if (entry === null) this.isSealed = true
      else this.entries.push(entry)
    }
    for (const each of done) each.done()
  }
}
