import type { z } from 'zod'
import type { scubaSegmentList } from '../../../core/scuba/operations/segments.ts'
import type { Scrubber } from './scrubber.ts'
import type { Store } from './store.ts'

/** The segments of a table, or of all, oldest first; also those that are not read. */
export function listSegments(store: Store, scrubber: Scrubber, table?: string): z.input<typeof scubaSegmentList.output> {
  const names = table === undefined ? [...store.tableNames()].sort() : [store.tail(table).name]
  const segments = names.flatMap((name) => {
    const lost = new Map(store.lostSegments(name).map(({ segment, reason }) => [segment.file, reason]))
    return [...store.segments(name), ...store.lostSegments(name).map(({ segment }) => segment)]
      .sort((a, b) => a.minUs - b.minUs || (a.file < b.file ? -1 : 1))
      .map(({ file, rows, bytes, minUs, maxUs, thinned }) => ({
        ...{ table: name, file, rows, bytes },
        fromMs: Math.floor(minUs / 1000),
        toMs: Math.floor(maxUs / 1000),
        thinned: thinned ?? 1,
        checkedMs: scrubber.checkedMs(file),
        lost: lost.get(file) ?? null,
      }))
  })
  return { segments }
}
