import { closeSync, mkdirSync, openSync, readSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { isDiskFull } from '../../../platform/files.ts'

/**
 * Which position is being applied, for the next process to find when this one dies of it. A process's end loses nothing that was written, so
 * nothing is synced; and only who starts after a crash writes at all, and for a while.
 */
export interface PoisonNote {
  /** applying this position killed the process so often that it must not be tried again; null: none */
  poisoned: number | null
  before(position: number): void
  after(): void
  /** Applying this position threw: the process is about to end of it. */
  threw(position: number): void
  /** Nobody applies this position any more: what was noted of it is forgotten. */
  passedOver(position: number): void
  /** The process ends as it should. */
  close(): void
}

const NAME = 'applying'
const NOTE_BYTES = 16
/** Deaths of one position, after which it is left alone. */
const DEATHS_MAX = 2
/** What comes so long after a start is not what killed the process before. */
const WATCHED_POSITIONS = 10_000

export function openPoisonNote(dir: string): PoisonNote {
  mkdirSync(dir, { recursive: true, mode: 0o700 })
  const file = join(dir, NAME)
  const fd = openSync(file, 'a+', 0o600)
  closeSync(fd)
  const handle = openSync(file, 'r+')
  const bytes = new Uint8Array(NOTE_BYTES)
  const view = new DataView(bytes.buffer)
  const isAfterCrash = readSync(handle, bytes, 0, NOTE_BYTES, 0) === NOTE_BYTES
  const died = { position: view.getFloat64(0), deaths: view.getFloat64(8) }
  let left = isAfterCrash ? WATCHED_POSITIONS : 0
  const write = (position: number, deaths: number): void => {
    view.setFloat64(0, position)
    view.setFloat64(8, deaths)
    try {
      writeSync(handle, bytes, 0, NOTE_BYTES, 0)
    } catch (error) {
      // A full disk keeps no note; nothing acknowledged depends on it.
      if (!isDiskFull(error)) throw error
    }
  }
  const deathsOf = (position: number): number => (died.position === position ? died.deaths + 1 : 1)
  const poisoned = died.position > 0 && died.deaths >= DEATHS_MAX ? died.position : null
  if (!isAfterCrash) write(0, 0)
  let isWritten = false
  let isClosed = false
  const note: PoisonNote = {
    poisoned,
    before: (position) => {
      if (left === 0) return
      left -= 1
      isWritten = true
      write(position, deathsOf(position))
    },
    after: () => {
      if (isWritten) write(0, 0)
      isWritten = false
    },
    threw: (position) => write(position, deathsOf(position)),
    passedOver: (position) => {
      if (died.position !== position) return
      note.poisoned = null
      died.position = 0
      write(0, 0)
    },
    close: () => {
      if (isClosed) return
      isClosed = true
      closeSync(handle)
      // The position stays left alone until it is skipped, or someone removes the note.
      if (note.poisoned === null) rmSync(file, { force: true })
    },
  }
  return note
}
