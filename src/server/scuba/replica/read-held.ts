import { refuse } from '../../../core/kernel/errors.ts'
import { viewFileAt, type ViewFile } from '../../../core/scuba/plan/view.ts'
import { whyNotWhole, type CopyAsked } from '../../../core/scuba/shards/stand-in.ts'
import { count, emptyCoverage, isWithin, type Range, type Reading } from '../leaf/reading.ts'
import type { Store } from '../leaf/store.ts'
import type { Held } from './held.ts'

/**
 * As `readTables`, of one table of a copy: its segments as they are, and its batches as chunks. It counts as the leaf whose rows they are.
 * @throws SCUBA_DOWN when it is not whole as far as is asked
 */
export async function readHeld(store: Store, held: Held, asked: CopyAsked, name: string, range: Range): Promise<Reading> {
  const end = store.hold()
  try {
    const state = await held.rows()
    const why = whyNotWhole(state && { epochs: state.rows.copy.epochs, seq: state.seq }, asked)
    if (state === null || why !== null) throw refuse('SCUBA_DOWN', why ?? 'there is no copy')
    const tail = await state.rows.tail(name)
    const { segments = [], lostRows = 0 } = state.rows.copy.tables[name] ?? {}
    const all: ViewFile[] = [...tail.chunks, ...segments.map((segment) => viewFileAt(held.segmentPath(segment.file), segment))]
    const files = all.filter((file) => isWithin(file, range))
    const { retyped = [] } = store.registry.current.tables[name] ?? {}
    const view = { columns: tail.columns.toJSON(), files: all, retyped, derived: [], ...range }
    const reading: Reading = {
      tables: [{ name, files, basis: files.map(({ path }) => path), view }],
      ...{ views: [], rowsScanned: 0, coverage: { ...emptyCoverage(), byCopy: [held.of] }, end },
    }
    count(reading, files, range)
    if (lostRows > 0) {
      reading.coverage.missing.push(`${name}: ${lostRows} rows of segments that are lost`)
      reading.coverage.rows = reading.rowsScanned / (reading.rowsScanned + lostRows)
    }
    return reading
  } catch (error) {
    end()
    throw error
  }
}
