import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { isFit, skipsOf } from '../../core/delos/virtual-log/chain.ts'
import { presentServers } from '../../core/delos/virtual-log/value.ts'
import { isRefusal } from '../../core/kernel/errors.ts'
import type { MusterError } from '../../core/kernel/errors.ts'
import type { Logger } from '../../platform/logger.ts'
import type { StatePaths } from '../../platform/paths.ts'
import { batchEntries } from '../state/entry-batch.ts'
import type { StateCopy } from '../state/control-log.ts'
import { dropUnfitKept, keepState, keptStates, keptDirOf } from '../state/kept-states.ts'
import { compareStates, type ControlDigests } from './control-digests.ts'
import { diskFailed } from './disk.ts'
import type { Peers } from './quorum/peers.ts'
import type { Refusal } from './serve/admin-refusal.ts'
import type { Aside } from './serve/aside.ts'
import type { EntryView, SkipTarget } from './serve/skip.ts'
import { trimAnswer } from './serve/space-calls.ts'
import { keepTrimming } from './serve/trimming.ts'
import type { Tuning } from './serve/tuning.ts'
import { checkSnapshotFile, makeSnapshotFile } from './store/snapshot-file.ts'
import { createSnapshotSink, type SnapshotTarget } from './store/snapshot-sink.ts'
import { serveSnapshots } from './store/snapshot-source.ts'
import type { VirtualLog } from './virtual-log/virtual-log.ts'

export interface ControlUpkeepOptions {
  paths: StatePaths
  /** of this server */
  name: string
  self: bigint
  /** the control log, and the state that is made of it here */
  chain: VirtualLog
  copy: StateCopy
  /** on the channels of that log */
  peers: Peers
  aside: Aside
  tuning: Pick<Tuning, 'trim' | 'keep' | 'markEvery'>
  logger: Logger
  onFatal: (error: MusterError) => void
}

export interface ControlUpkeep {
  /** operators' calls about the control log at this server, by their paths */
  calls: Record<string, (body: unknown) => Promise<object | Refusal>>
  skips: SkipTarget
  /** the states of the servers, compared */
  digests: ControlDigests
  stop: () => Promise<void>
}

const TOPIC = 'control.upkeep'
const LOOK_MS = 1000
/** What a server said of itself counts for so long: it says it each second. */
const SAID_MS = 3000
/** The lead is given away so often at most: who gets it may need a while, and gets it only when it lacks little. */
const HAND_OVER_MS = 3000
const FIT_BEHIND_MAX = 100
/** Others are waited for so long when the log is trimmed by hand. */
const OTHERS_MS = 4000

/** What servers tell each other of their copies of the state. */
interface Said {
  id: string
  /** trimming up to there was asked for, by hand; 0: it was not */
  trimTo: number
  /** it decides nothing, or on what may be wrong, and wants another one to */
  isRefusing: boolean
  /** position of the last batch in its state */
  applied: number
}

const trimSchema = z.object({ dryRun: z.boolean().default(false) })

/**
 * What the servers of a fleet do for the control log beside deciding: their states are compared, a state that is wrong or that the log no longer
 * makes is got from another server, copies of it are kept, and what they hold may leave the log when somebody says so.
 *
 * Nothing is trimmed by itself: tables that another version makes otherwise are made from the log, and from nothing else.
 */
export async function keepControl(options: ControlUpkeepOptions): Promise<ControlUpkeep> {
  const { paths, name, self, chain, copy, peers, aside, tuning, logger, onFatal } = options
  const { stateDb } = paths
  const others = (): bigint[] => presentServers(chain.value()).flatMap(({ id }) => (BigInt(`0x${id}`) === self ? [] : [BigInt(`0x${id}`)]))
  const skips = (): ReadonlySet<number> | null => skipsOf(chain.value())
  dropUnfitKept(stateDb, skips())
  let kept = keptStates(keptDirOf(stateDb))
  let keptAtMs = performance.now()
  let keeping: Promise<void> | null = null
  let trimTo = 0
  let isStopped = false
  const heard = new Map<bigint, Said & { atMs: number }>()

  // ------------------------------------------------------------------------------------------ states for others, and from them

  const source = await serveSnapshots({
    ...{ peers, log: chain, dir: join(paths.root, 'state-copies'), logger },
    make: (file) => makeSnapshotFile('state', stateDb, file),
    refusal: () => (copy.distrust() ?? (copy.isBehind() ? copy.refusal() : null))?.message ?? null,
  })
  const sink = createSnapshotSink({ peers, others, target: stateTarget(chain, copy), file: `${stateDb}.part`, logger, onFatal })
  const deaf = [
    chain.onBehind((from) => sink.want(from)),
    copy.onBehind(() => {
      if (others().length > 0) sink.want(null)
    }),
    chain.onValue(() => {
      dropUnfitKept(stateDb, skips())
      kept = keptStates(keptDirOf(stateDb))
    }),
  ]

  // ---------------------------------------------------------------------------------------------------------- copies, trimming

  /** The newest kept copy with which the log goes on; 0: none. */
  const durable = (): number => {
    const [newest] = kept
    return newest !== undefined && newest.position + 1 >= chain.head() ? newest.position : 0
  }
  const keep = (): Promise<void> => {
    keeping ??= (async () => {
      if (copy.applied() > durable() && !copy.isBehind() && copy.distrust() === null) await keepState(stateDb)
      kept = keptStates(keptDirOf(stateDb))
      keptAtMs = performance.now()
    })().finally(() => {
      keeping = null
    })
    return keeping
  }
  const isKeepDue = (): boolean => {
    if (copy.isBehind() || copy.distrust() !== null || keeping !== null) return false
    const since = copy.applied() - durable()
    // A log that does not begin at its beginning makes no state without a copy.
    if (durable() === 0 && copy.applied() > 0 && chain.localHead() > 1) return true
    return (
      since >= tuning.keep.positionsMax || (since >= tuning.trim.margin && since > 0 && performance.now() - keptAtMs >= tuning.keep.everyMs)
    )
  }
  const keepFailed = (error: unknown): void => logger.warn('the state was not kept', { reason: String((error as Error).message ?? error) })
  const trimming = keepTrimming({
    ...{ log: chain, aside, self, others, archived: () => null, rules: tuning.trim, logger, onFatal },
    durable,
    topic: 'durable.control',
    limit: () => Math.max(1, trimTo),
  })

  const askTrim = (to: number): void => {
    if (to <= trimTo) return
    trimTo = to
    void keep().catch(keepFailed)
  }
  const isRefusing = (): boolean => (copy.refusal() ?? copy.distrust()) !== null
  aside.announce(TOPIC, (): Said => ({ id: self.toString(), trimTo, isRefusing: isRefusing(), applied: copy.applied() }))
  aside.onTell(TOPIC, (said: Said) => {
    heard.set(BigInt(said.id), { ...said, atMs: performance.now() })
    askTrim(said.trimTo)
  })

  let handedOverMs = Number.NEGATIVE_INFINITY
  /** Who has all of it decides better. */
  const handOver = (): void => {
    const nowMs = performance.now()
    if (!isRefusing() || !chain.role().isLeader || nowMs - handedOverMs < HAND_OVER_MS) return
    const isFit = (id: bigint, said: Said & { atMs: number }): boolean =>
      !said.isRefusing && nowMs - said.atMs < SAID_MS && said.applied >= copy.applied() - FIT_BEHIND_MAX && others().includes(id)
    const fit = [...heard].find(([id, said]) => isFit(id, said))
    if (fit === undefined) return
    handedOverMs = nowMs
    logger.info('the lead is to go to a server that can decide', { to: fit[0].toString(16) })
    chain.moveLeader(fit[0])
  }
  const digests = compareStates({
    ...{ chain, copy, aside, self, logger },
    ...(tuning.markEvery === undefined ? {} : { every: tuning.markEvery }),
    onDistrusted: () => {
      source.forget()
      handOver()
    },
  })
  deaf.push(
    digests.stop,
    // What was kept of a state that was wrong went with it.
    copy.onAnew(() => {
      kept = keptStates(keptDirOf(stateDb))
    }),
  )
  const timer = setInterval(() => {
    handOver()
    if (isKeepDue()) void keep().catch(keepFailed)
  }, LOOK_MS)
  timer.unref()

  /** Those that answer have a copy of now, too, or the time is over. */
  const untilOthersKeep = async (position: number): Promise<void> => {
    const untilMs = performance.now() + OTHERS_MS
    const isDone = (): boolean =>
      trimming.report().servers.every(({ id, durable: said, silentMs }) => id === self || silentMs > SAID_MS || (said ?? 0) >= position)
    while (!isDone() && performance.now() < untilMs && !isStopped) await new Promise((resolve) => setTimeout(resolve, 50))
  }

  return {
    calls: {
      'log/trim': async (body) => {
        const asked = trimSchema.safeParse(body ?? {})
        if (!asked.success) return { code: 'USAGE', message: asked.error.issues[0]?.message ?? 'not understood' }
        const before = chain.head()
        const refusal = copy.distrust() ?? copy.refusal()
        if (refusal !== null) return { code: refusal.code, message: refusal.message }
        if (asked.data.dryRun)
          return trimAnswer({ name, log: chain, before, report: { ...trimming.report(), mayBeginAt: trimming.unlimited() } })
        const applied = copy.applied()
        try {
          await keep()
        } catch (error) {
          if (!isRefusal(error)) throw diskFailed(stateDb, error)
          return { code: error.code, message: `no copy of the state could be kept, so nothing was trimmed: ${error.message}` }
        }
        askTrim(applied)
        await untilOthersKeep(applied)
        await trimming.trim()
        return trimAnswer({ name, log: chain, before, report: trimming.report() })
      },
    },
    digests,
    skips: controlSkips(chain, copy, (position) => kept.some((one) => one.position < position && one.position + 1 >= chain.head())),
    stop: async () => {
      isStopped = true
      clearInterval(timer)
      for (const end of deaf) end()
      trimming.stop()
      await sink.stop()
      await source.stop()
      await keeping?.catch(() => undefined)
      await rm(join(keptDirOf(stateDb), 'new'), { force: true })
    },
  }
}

function stateTarget(chain: VirtualLog, copy: StateCopy): SnapshotTarget {
  return {
    get isBehind() {
      return copy.isBehind()
    },
    setBehind: copy.setBehind,
    wanted: () => ({ next: chain.tail(), isForced: copy.isForced() }),
    check: (file) => checkSnapshotFile('state', file),
    problem: (found) => {
      if (found.schema !== copy.schema) return 'another version of muster made its tables'
      return isFit(skipsOf(chain.value()), found) ? null : 'it holds what is to be skipped'
    },
    install: copy.install,
  }
}

function controlSkips(chain: VirtualLog, copy: StateCopy, isKeptBelow: SkipTarget['isKeptBelow']): SkipTarget {
  return { applied: copy.applied, isKeptBelow, entryAt: (position) => entryAt(chain, position) }
}

/** Null: it is not here, or cannot be read. */
function entryAt(chain: VirtualLog, position: number): EntryView | null {
  const [batch] = chain.read(position, 1)
  if (batch === undefined) return null
  try {
    const entries = batchEntries(position, batch.payload)
    const commands = entries.map(({ type, actor, body }) => {
      return { kind: type, key: null, user: actor, bytes: Buffer.byteLength(JSON.stringify(body) ?? '') }
    })
    return { timeMs: entries[0]?.at ?? 0, proposer: null, commands }
  } catch {
    // That it cannot be read may be the very reason to skip it.
    return null
  }
}
