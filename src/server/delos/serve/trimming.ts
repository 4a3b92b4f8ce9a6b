import { TRIM_RULES, trimPosition, type TrimRules, type ViewServer } from '../../../core/delos/engines/view.ts'
import type { OrderedLog } from '../../../core/contracts/ordered-log.ts'
import { isRefusal, type MusterError } from '../../../core/kernel/errors.ts'
import type { Logger } from '../../../platform/logger.ts'
import { diskFailed } from '../disk.ts'
import type { Materialiser } from '../store/materialiser.ts'
import type { Aside } from './aside.ts'

export interface TrimmingOptions {
  log: OrderedLog
  materialiser: Materialiser
  aside: Aside
  self: bigint
  others: () => readonly bigint[]
  rules?: TrimRules
  logger: Logger
  onFatal: (error: MusterError) => void
}

const DURABLE = 'durable'
const LOOK_MS = 1000
/** Saying where the log begins is a write to the disk: worth it for so much of the margin. */
const STEP_SHARE = 0.1

/** Gives up what no server needs of the log: each says how far its rows are on its disk. Gives what ends it. */
export function keepTrimming({ log, materialiser, aside, self, others, rules = TRIM_RULES, logger, onFatal }: TrimmingOptions): () => void {
  const startedAtMs = performance.now()
  const heard = new Map<bigint, ViewServer>()
  /** A server that was not heard yet may need all of it. */
  const view = (): ViewServer[] => others().map((id) => heard.get(id) ?? { id, durable: null, heardAtMs: startedAtMs })
  aside.announce(DURABLE, () => ({ id: self.toString(), position: materialiser.durablePosition() }))
  aside.onTell(DURABLE, ({ id, position }: { id: string; position: number }) => {
    heard.set(BigInt(id), { id: BigInt(id), durable: position, heardAtMs: performance.now() })
  })
  let isTrimming = false
  const look = async (): Promise<void> => {
    const nowMs = performance.now()
    const own = { id: self, durable: materialiser.durablePosition(), heardAtMs: nowMs }
    const position = trimPosition(self, [own, ...view()], nowMs, rules)
    const head = log.head()
    if (isTrimming || position - head < Math.max(1, rules.margin * STEP_SHARE)) return
    isTrimming = true
    try {
      await log.trim(position)
      if (log.head() > head) logger.info('trimmed the log', { from: head, to: log.head() })
    } catch (error) {
      onFatal(isRefusal(error) ? error : diskFailed('the log', error))
    } finally {
      isTrimming = false
    }
  }
  const timer = setInterval(() => void look(), LOOK_MS)
  timer.unref()
  return () => clearInterval(timer)
}
