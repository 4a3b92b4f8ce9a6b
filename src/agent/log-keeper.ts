import { execFile } from 'node:child_process'
import {
  appendFileSync,
  closeSync,
  existsSync,
  openSync,
  readFileSync,
  readSync,
  renameSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { promisify } from 'node:util'
import { replaceFile } from '../platform/files.ts'
import { systemProgram } from './exec/programs.ts'

const run = promisify(execFile)

/** A hole must be whole pages of the file system. */
const BLOCK_BYTES = 4096
export const LOG_BYTES_MAX = 16 * 1024 * 1024

/**
 * Keeps what tasks write within bounds, and remembers when it was written.
 *
 * A task appends to one file for ever; nobody stands between, so nothing is lost or slowed when the agent dies. When a file
 * holds more than twice the cap, its oldest part is given back to the disk as a hole (fallocate --punch-hole): offsets stay, no line
 * that is kept is copied, none written meanwhile is lost. `FILE.base` says where the kept part begins. Lines carry no time, so
 * `FILE.times` notes the size four times a second while it grows: a line is as old as the first note beyond it.
 */
export class LogKeeper {
  readonly #maxBytes: number
  readonly #sizes = new Map<string, number>()
  readonly #busy = new Set<string>()
  #canPunch: boolean

  constructor(maxBytes = LOG_BYTES_MAX, canPunch = true) {
    this.#canPunch = canPunch
    this.#maxBytes = Math.max(BLOCK_BYTES, maxBytes)
  }

  /** Looks at one file; call it four times a second for the files of live tasks, and once after a task ended. */
  async look(file: string, now: number): Promise<void> {
    let size: number
    try {
      size = statSync(file).size
    } catch {
      return // not started yet
    }
    if (this.#sizes.get(file) !== size && size > 0) {
      this.#sizes.set(file, size)
      appendFileSync(`${file}.times`, `${now} ${size}\n`, { mode: 0o600 })
    }
    const base = readBase(file)
    if (size - base <= 2 * this.#maxBytes || this.#busy.has(file)) return
    this.#busy.add(file)
    try {
      await this.#trim(file, size)
    } finally {
      this.#busy.delete(file)
    }
  }

  async #trim(file: string, size: number): Promise<void> {
    const base = Math.floor((size - this.#maxBytes) / BLOCK_BYTES) * BLOCK_BYTES
    const fallocate = systemProgram('fallocate')
    if (this.#canPunch && fallocate !== null) {
      // Readers must stop looking there before the bytes turn to zeros.
      writeBase(file, base)
      try {
        await run(fallocate, ['--punch-hole', '--offset', '0', '--length', String(base), file])
        trimTimes(file, base)
        return
      } catch {
        this.#canPunch = false
      }
    }
    this.#copyTruncate(file)
  }

  /** Where the file system has no holes: the last part is copied aside and the file emptied; lines written in between can be lost. */
  #copyTruncate(file: string): void {
    const size = statSync(file).size
    const from = Math.max(0, size - this.#maxBytes)
    const input = openSync(file, 'r')
    const output = openSync(`${file}.1.new`, 'w', 0o600)
    const buffer = Buffer.alloc(1024 * 1024)
    for (let at = from; at < size;) {
      const got = readSync(input, buffer, 0, buffer.length, at)
      if (got === 0) break
      writeFileSync(output, buffer.subarray(0, got))
      at += got
    }
    truncateSync(file, 0)
    closeSync(input)
    closeSync(output)
    renameSync(`${file}.1.new`, `${file}.1`)
    writeBase(file, 0)
    writeFileSync(`${file}.times`, '', { mode: 0o600 })
  }
}

/** First byte of a log file that is still kept. */
export function readBase(file: string): number {
  try {
    return Number(readFileSync(`${file}.base`, 'latin1')) || 0
  } catch {
    return 0
  }
}

/** Notes of growth, oldest first: at `time` (ms since the epoch) the file had `size` bytes. */
export function readTimes(file: string): { time: number; size: number }[] {
  if (!existsSync(`${file}.times`)) return []
  return readFileSync(`${file}.times`, 'latin1')
    .split('\n')
    .map((line) => line.split(' ').map(Number))
    .filter((pair) => pair.length === 2)
    .map(([time = 0, size = 0]) => ({ time, size }))
}

function writeBase(file: string, base: number): void {
  replaceFile(`${file}.base`, String(base))
}

function trimTimes(file: string, base: number): void {
  const kept = readTimes(file).filter((note) => note.size > base)
  replaceFile(`${file}.times`, kept.map((note) => `${note.time} ${note.size}\n`).join(''))
}
