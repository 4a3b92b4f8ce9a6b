import { constants } from 'node:fs'
import { copyFile, mkdir, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { segmentName } from '../../../core/delos/log/segment.ts'
import { MusterError } from '../../../core/kernel/errors.ts'
import { openFileLoglet, type FileLoglet } from '../file-loglet.ts'
import { listSegments } from '../segment-files.ts'
import { writeFirstPosition } from '../serve/first-position.ts'
import type { VirtualLog } from '../virtual-log/virtual-log.ts'

/** What a snapshot needs of a log. */
export type SnapshotLog = Pick<VirtualLog, 'value' | 'localHead' | 'tail' | 'read'>

/** A copy of a log in a directory, as one file loglet of positions that are the same: what a server alone begins with. */
export interface LogCopy {
  /** Copies most of it, while the log goes on. */
  ahead: () => Promise<void>
  /** Copies what is there now and was not yet; gives its positions. */
  rest: () => Promise<{ head: number; tail: number }>
  close: () => Promise<void>
}

/** Batches read and written at once. */
const CHUNK = 256

/** @param from directory of the log */
export function copyLog(log: SnapshotLog, from: string, to: string): LogCopy {
  const { chain } = log.value()
  const [only] = chain
  const isOneFile = chain.length === 1 && only?.kind === 'file'
  return isOneFile ? copyOfFiles(log, join(from, only.loglet.toString(16).padStart(8, '0')), to) : copyOfBatches(log, to)
}

/** Its one loglet is such files. */
function copyOfFiles(log: SnapshotLog, from: string, to: string): LogCopy {
  return {
    ahead: () => copySegments(from, to, 'finished'),
    rest: async () => {
      await copySegments(from, to, 'rest')
      if (log.value().chain.length > 1)
        throw new MusterError('UNAVAILABLE', 'the log moved to another loglet meanwhile; nothing was saved', { hint: 'Ask again.' })
      const stood = { head: log.localHead(), tail: log.tail() }
      if (stood.head > 1) await writeFirstPosition(to, stood.head)
      return stood
    },
    close: async () => {},
  }
}

/** Copies segment files that are not there yet; `finished` leaves out the newest, which is still written to. */
async function copySegments(from: string, to: string, which: 'finished' | 'rest'): Promise<void> {
  await mkdir(to, { recursive: true })
  const firsts = await listSegments(from).catch(() => [])
  const have = new Set(await readdir(to))
  for (const first of which === 'finished' ? firsts.slice(0, -1) : firsts) {
    const name = segmentName(first)
    if (!have.has(name)) await copyFile(join(from, name), join(to, name), constants.COPYFILE_FICLONE)
  }
}

/** Its loglets are of several servers, or several: what they hold is written anew. */
function copyOfBatches(log: SnapshotLog, to: string): LogCopy {
  let file: FileLoglet | null = null
  const copy = async (): Promise<{ head: number; tail: number }> => {
    const head = log.localHead()
    file ??= await openFileLoglet(to, { firstPosition: head })
    const tail = log.tail()
    for (let next = file.checkTail(); next < tail; next = file.checkTail()) {
      const batches = log.read(next, Math.min(CHUNK, tail - next))
      if (batches[0]?.position !== next)
        throw new MusterError('UNAVAILABLE', `position ${next} of the log cannot be read on this server; nothing was saved`, {
          hint: 'Ask again in a few seconds, or the server that leads.',
        })
      for (const part of parts(batches.map(({ payload }) => payload))) await file.append(part)
    }
    return { head: file.head(), tail }
  }
  return {
    ahead: async () => void (await copy()),
    rest: async () => {
      const stood = await copy()
      await closeFile()
      if (stood.head > 1) await writeFirstPosition(to, stood.head)
      return stood
    },
    close: () => closeFile(),
  }

  async function closeFile(): Promise<void> {
    const open = file
    file = null
    await open?.close()
  }
}

/** As much as goes in at once. */
function parts(payloads: Uint8Array[]): Uint8Array[][] {
  const found: Uint8Array[][] = []
  let bytes = 0
  for (const payload of payloads) {
    const last = found.at(-1)
    if (last === undefined || bytes + payload.length > PART_BYTES) {
      found.push([payload])
      bytes = payload.length
    } else {
      last.push(payload)
      bytes += payload.length
    }
  }
  return found
}

const PART_BYTES = 1024 * 1024
