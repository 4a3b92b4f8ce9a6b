import { TRIM_RULES, type TrimRules } from '../../../core/delos/engines/view.ts'
import { MusterError } from '../../../core/kernel/errors.ts'

/** Sizes and times that nobody sets but whoever tests what happens at their end. */
export interface Tuning {
  segmentBytes: number
  trim: TrimRules
  /** how often the rows are synced; undefined: as the materialiser does */
  syncEveryMs?: number
  archive: { fileBytesMax?: number }
  containers: { containerEmptyMs?: number }
}

const SEGMENT_BYTES = 64 * 1024 * 1024

/** From `MUSTER_DELOS_SEGMENT_BYTES`, `…_TRIM_MARGIN`, `…_SILENT_MS`, `…_ARCHIVE_BYTES`, `…_CONTAINER_MS` and `…_SYNC_MS`. Throws USAGE for what is no number. */
export function tuningOf(env: NodeJS.ProcessEnv): Tuning {
  const whole = (name: string): number | undefined => {
    const text = env[`MUSTER_DELOS_${name}`]
    if (text === undefined || text === '') return undefined
    if (!/^\d{1,12}$/.test(text)) throw new MusterError('USAGE', `MUSTER_DELOS_${name} is not a whole number: ${text}`)
    return Number(text)
  }
  const syncEveryMs = whole('SYNC_MS')
  const fileBytesMax = whole('ARCHIVE_BYTES')
  const containerEmptyMs = whole('CONTAINER_MS')
  return {
    segmentBytes: whole('SEGMENT_BYTES') ?? SEGMENT_BYTES,
    trim: { margin: whole('TRIM_MARGIN') ?? TRIM_RULES.margin, silentMs: whole('SILENT_MS') ?? TRIM_RULES.silentMs },
    containers: containerEmptyMs === undefined ? {} : { containerEmptyMs },
    archive: fileBytesMax === undefined ? {} : { fileBytesMax },
    ...(syncEveryMs === undefined ? {} : { syncEveryMs }),
  }
}
