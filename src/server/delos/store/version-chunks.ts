import type Database from 'better-sqlite3'
import { FrameCursor } from './row-frame.ts'

/** A chunk is at most so long, unless one version is. Larger ones are no cheaper to write, and dearer to take a version out of. */
const CHUNK_BYTES = 64 * 1024

/** The versions of a store in `kv_chunk`: a row holds those from its `rev` and `sub` on up to the next row's, as a frame. */
export interface VersionChunks {
  /** Adds versions that follow on all that are there. */
  insert(frame: Uint8Array): void
  /**
   * Takes versions out; those that are not there are passed over.
   * @param versions rev, sub, rev, sub, …, in any order
   * @returns bytes that were rewritten
   */
  remove(versions: Float64Array): number
}

interface Chunk {
  rev: number
  sub: number
  versions: Buffer
}

/** For statements within a transaction of the caller's. */
export function versionChunks(db: Database.Database): VersionChunks {
  const add = db.prepare('INSERT INTO kv_chunk VALUES (?, ?, ?)')
  const holding = db.prepare<[number, number], Chunk>(
    'SELECT rev, sub, versions FROM kv_chunk WHERE (rev, sub) <= (?, ?) ORDER BY rev DESC, sub DESC LIMIT 1',
  )
  const put = db.prepare('UPDATE kv_chunk SET versions = ? WHERE rev = ? AND sub = ?')
  const drop = db.prepare('DELETE FROM kv_chunk WHERE rev = ? AND sub = ?')

  return {
    insert: (frame) => {
      const cursor = new FrameCursor(frame)
      let first = { rev: 0, sub: 0, at: 0 }
      while (cursor.next()) {
        const { rev, sub, at, end } = cursor
        if (at === first.at) first = { rev, sub, at }
        if (end < frame.length && end - first.at < CHUNK_BYTES) continue
        add.run(first.rev, first.sub, frame.subarray(first.at, end))
        first.at = end
      }
    },
    remove: (versions) => {
      const gone = inOrder(versions)
      let rewritten = 0
      for (let next = 0; next < gone.length;) {
        const [rev, sub] = gone[next] as Place
        const chunk = holding.get(rev, sub)
        const before = next
        if (chunk !== undefined) {
          const rest = without(
            chunk.versions,
            () => gone[next],
            () => (next += 1),
          )
          if (rest.length === 0) drop.run(chunk.rev, chunk.sub)
          else if (rest.length < chunk.versions.length) put.run(rest, chunk.rev, chunk.sub)
          rewritten += rest.length
        }
        // In no chunk, or behind the last version of the one in which it would be.
        if (next === before) next += 1
      }
      return rewritten
    },
  }
}

type Place = [rev: number, sub: number]

function inOrder(versions: Float64Array): Place[] {
  const places: Place[] = []
  for (let i = 0; i < versions.length; i += 2) places.push([versions[i] as number, versions[i + 1] as number])
  return places.sort((a, b) => a[0] - b[0] || a[1] - b[1])
}

/** Closes the gaps that are left in a chunk by what is gone from it, in place. @param take moves on to the next that is gone */
function without(chunk: Buffer, gone: () => Place | undefined, take: () => void): Buffer {
  const cursor = new FrameCursor(chunk)
  let length = 0
  while (cursor.next()) {
    const { rev, sub, at, end } = cursor
    let place = gone()
    while (place !== undefined && (place[0] < rev || (place[0] === rev && place[1] < sub))) {
      take()
      place = gone()
    }
    if (place !== undefined && place[0] === rev && place[1] === sub) take()
    else {
      if (length < at) chunk.copyWithin(length, at, end)
      length += end - at
    }
  }
  return chunk.subarray(0, length)
}
