import { TRIM_RULES, type TrimRules } from '../../../core/delos/engines/view.ts'
import { PROMOTION_LIMITS, type PromotionLimits } from '../../../core/delos/virtual-log/members.ts'
import { MusterError } from '../../../core/kernel/errors.ts'

/** Sizes and times that nobody sets but whoever tests what happens at their end. */
export interface Tuning {
  segmentBytes: number
  trim: TrimRules
  promotion: PromotionLimits
  /** when a copy of the control plane's state is kept beside it: after so many positions, or so often when there are some to be trimmed */
  keep: { positionsMax: number; everyMs: number }
  /** how often the rows are synced; undefined: as the materialiser does */
  syncEveryMs?: number
  /** positions between two comparisons of what the servers made of a log; undefined: 1,000 */
  markEvery?: number
  archive: { fileBytesMax?: number }
  containers: { containerEmptyMs?: number }
}

const SEGMENT_BYTES = 64 * 1024 * 1024
const KEEP_POSITIONS_MAX = 100_000
const KEEP_MS = 10 * 60_000

/**
 * From `MUSTER_DELOS_SEGMENT_BYTES`, `…_TRIM_MARGIN`, `…_SILENT_MS`, `…_ARCHIVE_BYTES`, `…_CONTAINER_MS`, `…_SYNC_MS`,
 * `…_KEEP_POSITIONS`, `…_KEEP_MS`, `…_MARK_EVERY` and `…_PROMOTE_SYNC_MS`. Throws USAGE for what is no number.
 */
export function tuningOf(env: NodeJS.ProcessEnv, segmentBytes = SEGMENT_BYTES): Tuning {
  const whole = (name: string): number | undefined => {
    const text = env[`MUSTER_DELOS_${name}`]
    if (text === undefined || text === '') return undefined
    if (!/^\d{1,12}$/.test(text)) throw new MusterError('USAGE', `MUSTER_DELOS_${name} is not a whole number: ${text}`)
    return Number(text)
  }
  const syncEveryMs = whole('SYNC_MS')
  const fileBytesMax = whole('ARCHIVE_BYTES')
  const markEvery = whole('MARK_EVERY')
  if (markEvery === 0) throw new MusterError('USAGE', 'MUSTER_DELOS_MARK_EVERY is at least 1')
  const containerEmptyMs = whole('CONTAINER_MS')
  return {
    segmentBytes: whole('SEGMENT_BYTES') ?? segmentBytes,
    trim: { margin: whole('TRIM_MARGIN') ?? TRIM_RULES.margin, silentMs: whole('SILENT_MS') ?? TRIM_RULES.silentMs },
    promotion: { ...PROMOTION_LIMITS, syncP99Ms: whole('PROMOTE_SYNC_MS') ?? PROMOTION_LIMITS.syncP99Ms },
    keep: { positionsMax: whole('KEEP_POSITIONS') ?? KEEP_POSITIONS_MAX, everyMs: whole('KEEP_MS') ?? KEEP_MS },
    containers: containerEmptyMs === undefined ? {} : { containerEmptyMs },
    archive: fileBytesMax === undefined ? {} : { fileBytesMax },
    ...(syncEveryMs === undefined ? {} : { syncEveryMs }),
    ...(markEvery === undefined ? {} : { markEvery }),
  }
}
