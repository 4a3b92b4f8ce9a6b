import { closeSync, openSync, readSync } from 'node:fs'
import type { ViewFile } from '../../../../core/scuba/plan/view.ts'
import { PLACES_SQL, stretchesWith } from '../../../../core/scuba/warm/bloom.ts'
import type { Engines } from '../engines.ts'

const PLACES_MAX = 1000
const known = new Map<string, number[]>()

/** Where a text is in filters; hashed by the engine, because the filters were. The newest thousand are remembered. */
export async function placesOf(engines: Engines, value: string, signal?: AbortSignal): Promise<readonly number[]> {
  const before = known.get(value)
  if (before) return before
  const { rows } = await engines.run({ sql: PLACES_SQL, views: [], params: { value }, deadlineMs: 5000 }, signal)
  const places = (rows[0] ?? []).map(Number)
  if (known.size >= PLACES_MAX) known.delete(known.keys().next().value ?? '')
  known.set(value, places)
  return places
}

/** The file with the stretches that can have the value; none when it cannot be in it. A filter that cannot be read excludes nothing. */
export function narrowFile(file: ViewFile, filter: string, places: readonly number[]): ViewFile[] {
  let stretches: { minUs: number; maxUs: number }[] | null = null
  try {
    const fd = openSync(filter, 'r')
    try {
      stretches = stretchesWith(places, (offset, bytes) => {
        const buffer = Buffer.allocUnsafe(bytes)
        return buffer.subarray(0, readSync(fd, buffer, 0, bytes, offset))
      })
    } finally {
      closeSync(fd)
    }
  } catch {
    // It has just been dropped.
  }
  if (stretches === null) return [file]
  const before = file.stretches
  const both = before
    ? stretches.filter(({ minUs, maxUs }) => before.some((other) => minUs <= other.maxUs && maxUs >= other.minUs))
    : stretches
  return both.length === 0 ? [] : [{ ...file, stretches: both }]
}
