import {
  isCounted,
  neededFrom,
  TRIM_RULES,
  trimPosition,
  type Need,
  type TrimRules,
  type ViewServer,
} from '../../../core/delos/engines/view.ts'
import type { OrderedLog } from '../../../core/contracts/ordered-log.ts'
import { isRefusal, type MusterError } from '../../../core/kernel/errors.ts'
import type { Logger } from '../../../platform/logger.ts'
import { diskFailed } from '../disk.ts'
import type { Aside } from './aside.ts'

export interface TrimmingOptions {
  log: OrderedLog
  /** the last position whose effects are on this server's disk, so that they are not made from the log again */
  durable: () => number
  /** what servers tell each other of this log goes by this name */
  topic?: string
  /** it may not begin above; without it, it may */
  limit?: () => number
  aside: Aside
  self: bigint
  others: () => readonly bigint[]
  /** the last position that is archived here, so that those after it stay; null: there is no archive */
  archived: () => number | null
  rules?: TrimRules
  logger: Logger
  onFatal: (error: MusterError) => void
}

/** What is kept of the log at this server, and for whom. */
export interface TrimReport {
  head: number
  tail: number
  /** it may begin here; not above `head`: nothing can go */
  mayBeginAt: number
  /** positions kept below the rows of the slowest server */
  margin: number
  servers: (Need & { id: bigint; durable: number | null; archived: number | null; silentMs: number; isCounted: boolean })[]
}

export interface Trimming {
  report(): TrimReport
  /** where it could begin if `limit` were no matter */
  unlimited(): number
  /** Gives up all that may go, at once. Resolves once it is on the disk. */
  trim(): Promise<void>
  stop(): void
}

const DURABLE = 'durable'
const LOOK_MS = 1000
const unlimited = (): number => Number.POSITIVE_INFINITY
/** Saying where the log begins is a write to the disk: worth it for so much of the margin. */
const STEP_SHARE = 0.1

interface Told {
  id: string
  position: number
  /** not said by servers of before there were archives */
  archived?: number | null
}

/** Gives up what no server needs of the log: each says how far its rows are on its disk, and its archive. */
export function keepTrimming(options: TrimmingOptions): Trimming {
  const { log, durable, topic = DURABLE, limit = unlimited, aside, self, others, archived, rules = TRIM_RULES, logger, onFatal } = options
  const startedAtMs = performance.now()
  const heard = new Map<bigint, ViewServer>()
  /** A server that was not heard yet may need all of it. */
  const view = (): ViewServer[] => [
    { id: self, durable: durable(), archived: archived(), heardAtMs: performance.now() },
    ...others().map((id) => heard.get(id) ?? { id, durable: null, heardAtMs: startedAtMs }),
  ]
  aside.announce(topic, (): Told => ({ id: self.toString(), position: durable(), archived: archived() }))
  aside.onTell(topic, ({ id, position, archived: theirs = null }: Told) => {
    heard.set(BigInt(id), { id: BigInt(id), durable: position, archived: theirs, heardAtMs: performance.now() })
  })
  const needed = (): number => trimPosition(self, view(), performance.now(), rules)
  const position = (): number => Math.min(limit(), needed())
  let isTrimming = false
  const trim = async (step: number): Promise<void> => {
    const to = position()
    const head = log.head()
    if (isTrimming || to - head < step) return
    isTrimming = true
    try {
      await log.trim(to)
      if (log.head() > head) logger.info('trimmed the log', { from: head, to: log.head() })
    } catch (error) {
      onFatal(isRefusal(error) ? error : diskFailed('the log', error))
    } finally {
      isTrimming = false
    }
  }
  const timer = setInterval(() => void trim(Math.max(1, rules.margin * STEP_SHARE)), LOOK_MS)
  timer.unref()
  return {
    report: () => {
      const nowMs = performance.now()
      return {
        head: log.head(),
        tail: log.tail(),
        mayBeginAt: position(),
        margin: rules.margin,
        servers: view().map((server) => ({
          ...neededFrom(server, rules),
          id: server.id,
          durable: server.durable,
          archived: server.archived ?? null,
          silentMs: Math.round(nowMs - server.heardAtMs),
          isCounted: isCounted(self, server, nowMs, rules),
        })),
      }
    },
    unlimited: needed,
    trim: () => trim(1),
    stop: () => clearInterval(timer),
  }
}
