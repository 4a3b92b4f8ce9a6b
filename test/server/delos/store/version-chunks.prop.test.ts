import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, describe, expect, it } from 'vitest'
import { NO_BYTES, tombstone, type Version } from '../../../../src/core/delos/kv/version.ts'
import { openRowsFile } from '../../../../src/server/delos/store/rows-file.ts'
import { FrameCursor, VersionFrame } from '../../../../src/server/delos/store/row-frame.ts'
import { versionChunks } from '../../../../src/server/delos/store/version-chunks.ts'

const dir = mkdtempSync(join(tmpdir(), 'muster-chunks-'))
afterAll(() => rmSync(dir, { recursive: true, force: true }))

/** Revisions with one to three versions each; some values are longer than a chunk. */
const versions = fc
  .array(fc.array(fc.tuple(fc.boolean(), fc.constantFrom(0, 3, 500, 30_000, 70_000)), { minLength: 1, maxLength: 3 }), { maxLength: 40 })
  .map((revisions) =>
    revisions.flatMap((subs, i): Version[] =>
      subs.map(([isDeleted, length], sub) => {
        const [key, rev] = [`key/${i % 7}\u00ff`, i * 2 + 2]
        if (isDeleted) return tombstone(key, rev, sub)
        const value = length === 0 ? NO_BYTES : new Uint8Array(length).fill(i)
        return { key, create_revision: rev, mod_revision: rev, version: 1, value, lease: BigInt(-i), sub, isDeleted: false }
      }),
    ),
  )

function frameOf(all: readonly Version[]): Uint8Array {
  const frame = new VersionFrame()
  for (const version of all) frame.add(version)
  return frame.take()
}

describe('chunks of versions', () => {
  it('hold what was inserted and not removed, in order, however it was cut and whatever was asked to be removed', () => {
    let files = 0
    fc.assert(
      fc.property(versions, fc.array(fc.nat(), { maxLength: 60 }), fc.nat(), (all, picks, cut) => {
        const db = openRowsFile(join(dir, `${(files += 1)}.db`))
        try {
          const chunks = versionChunks(db)
          const middle = all.length === 0 ? 0 : cut % all.length
          for (const part of [all.slice(0, middle), all.slice(middle)]) chunks.insert(frameOf(part))
          const gone = all.filter((_, i) => picks.some((pick) => pick % all.length === i))
          // Of others too: before the first, between two, behind the last.
          const asked = [...gone.map(({ mod_revision, sub }) => [mod_revision, sub]), [1, 0], [5, 0], [4, 9], [1e6, 0]]
          const order = asked.map((place, i) => ({ place, by: picks[i % Math.max(1, picks.length)] ?? 0 })).toSorted((a, b) => a.by - b.by)
          chunks.remove(Float64Array.from(order.flatMap(({ place }) => place)))
          const left: Version[] = []
          for (const frame of db.prepare<[], Buffer>('SELECT versions FROM kv_chunk ORDER BY rev, sub').pluck().iterate()) {
            const cursor = new FrameCursor(new Uint8Array(frame))
            while (cursor.next()) left.push(cursor.version())
          }
          expect(left).toEqual(all.filter((version) => !gone.includes(version)))
        } finally {
          db.close()
        }
      }),
      { numRuns: 60 },
    )
  })
})
