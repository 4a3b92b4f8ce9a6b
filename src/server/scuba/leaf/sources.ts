import { placeOf } from '../../../core/scuba/clickhouse/place.ts'
import type { ViewFile } from '../../../core/scuba/plan/view.ts'
import type { Clip } from './partial-cache.ts'

/** Files that make one partial. */
export interface PlannedSource {
  files: ViewFile[]
  clip: Clip
}

/** Rows of one source at most: more files are several, so that a change in one costs little. */
const SOURCE_ROWS_MAX = 4_000_000
const HOUR_US = 3_600_000_000
/** What one statement computes. */
export const SOURCES_AT_ONCE = 16

/** Files that are read together: those of one hour, of one server if they are away, and what is not sealed yet, because it becomes one. */
export function sourcesOf(files: readonly ViewFile[], clipOf: (file: ViewFile) => Clip): PlannedSource[] {
  const sources = new Map<string, PlannedSource & { rows: number }>()
  for (const file of files) {
    const clip = clipOf(file)
    const isSealed = file.kind === 'segment' || file.kind === 'away'
    const hour = isSealed ? `${file.kind} ${placeOf(file.path)?.server ?? 0} ${Math.floor(file.minUs / HOUR_US)}` : 'tail'
    for (let part = 0; ; part += 1) {
      const name = JSON.stringify([clip, hour, part])
      const source = sources.get(name)
      if (source && source.rows + file.rows > SOURCE_ROWS_MAX) continue
      if (source) {
        source.files.push(file)
        source.rows += file.rows
      } else sources.set(name, { files: [file], clip, rows: file.rows })
      break
    }
  }
  return [...sources.values()]
}
