import { closeSync, existsSync, fdatasync, fsyncSync, mkdirSync, openSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import type { DesiredTask, TaskState } from '../core/contracts/node.ts'
import { isDiskFull } from '../platform/files.ts'

/** What the agent must still know of a task after its own death. Written before it acts on it. */
export interface TaskRecord {
  v: 1
  id: number
  desired: DesiredTask
  /** counts starts of this incarnation on this node; 0: not started yet */
  attempt: number
  /** port name → number it was given */
  ports: Record<string, number>
  /** automatic restarts so far */
  restarts: number
  /** ms since the epoch of each automatic restart inside the restart interval */
  restartTimes: number[]
  /** set once final */
  ended: { state: TaskState; reason: string } | null
  /** oom kills its cgroup had counted before this attempt */
  oomKills: number
  /** whether it runs in namespaces of its own, and has a cgroup */
  isIsolated: boolean
  hasCgroup: boolean
}

const COMPACT_AT_BYTES = 4 * 1024 * 1024

/**
 * One JSON record a line, the last one of an id counts, `{"id":N,"forget":true}` ends it. A write resolves after
 * fdatasync; writes that wait at the same time share one. A torn last line is what a crash leaves, and is ignored.
 */
export class Journal {
  readonly #file: string
  readonly #live = new Map<number, TaskRecord>()
  #fd: number
  #sizeBytes = 0
  #waiting: { resolve: () => void; reject: (error: Error) => void }[] = []
  #isSyncing = false

  constructor(file: string) {
    this.#file = file
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
    if (existsSync(file)) this.#replay(readFileSync(file, 'utf8'))
    this.#fd = this.#open()
  }

  records(): TaskRecord[] {
    return [...this.#live.values()]
  }

  /** Resolves once the record is on disk; rejects (ENOSPC, EIO) when that failed: then nothing may be started. */
  put(record: TaskRecord): Promise<void> {
    this.#live.set(record.id, record)
    return this.#write(JSON.stringify(record))
  }

  forget(id: number): Promise<void> {
    if (!this.#live.delete(id)) return Promise.resolve()
    return this.#write(JSON.stringify({ id, forget: true }))
  }

  close(): void {
    closeSync(this.#fd)
  }

  #write(line: string): Promise<void> {
    try {
      if (this.#sizeBytes > COMPACT_AT_BYTES && !this.#isSyncing) {
        const old = this.#fd
        this.#fd = this.#rewrite()
        closeSync(old)
      } else {
        // The leading newline ends a line that an earlier full disk cut short.
        const bytes = Buffer.from(`\n${line}\n`)
        // Unlike writeSync this does not stop half-way on a disk that is nearly full without saying so.
        writeFileSync(this.#fd, bytes)
        this.#sizeBytes += bytes.length
      }
    } catch (error) {
      return Promise.reject(error)
    }
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject })
      this.#sync()
    })
  }

  #sync(): void {
    if (this.#isSyncing || this.#waiting.length === 0) return
    const batch = this.#waiting
    this.#waiting = []
    this.#isSyncing = true
    fdatasync(this.#fd, (error) => {
      this.#isSyncing = false
      for (const waiter of batch) {
        if (error) waiter.reject(error)
        else waiter.resolve()
      }
      this.#sync()
    })
  }

  #replay(text: string): void {
    for (const line of text.split('\n')) {
      if (line === '') continue
      try {
        const record = JSON.parse(line) as TaskRecord & { forget?: boolean }
        if (record.forget === true) this.#live.delete(record.id)
        else this.#live.set(record.id, record)
      } catch {
        // A line cut short by a crash or a full disk: its writer was never told that it is durable.
      }
    }
  }

  /** Compacted if there is room; on a full disk as it is, since tasks must be adopted all the same. */
  #open(): number {
    try {
      return this.#rewrite()
    } catch (error) {
      if (!isDiskFull(error)) throw error
      return openSync(this.#file, 'a', 0o600)
    }
  }

  #rewrite(): number {
    const next = `${this.#file}.new`
    const fd = openSync(next, 'w', 0o600)
    const bytes = Buffer.from([...this.#live.values()].map((record) => `${JSON.stringify(record)}\n`).join(''))
    writeFileSync(fd, bytes)
    this.#sizeBytes = bytes.length
    fsyncSync(fd)
    renameSync(next, this.#file)
    const folder = openSync(dirname(this.#file), 'r')
    fsyncSync(folder)
    closeSync(folder)
    return fd
  }
}
