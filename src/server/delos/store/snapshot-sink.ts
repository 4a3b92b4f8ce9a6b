import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { open, rm, type FileHandle } from 'node:fs/promises'
import type { LogBase } from '../../../core/contracts/ordered-log.ts'
import { isRefusal, type MusterError } from '../../../core/kernel/errors.ts'
import type { Logger } from '../../../platform/logger.ts'
import { diskFailed } from '../disk.ts'
import { CHANNEL, type Peers } from '../quorum/peers.ts'
import type { SnapshotFile } from './snapshot-file.ts'
import { decodeSnapshotFrame, encodeSnapshotFrame, PART_BYTES, type SnapshotMessage, type SnapshotOffer } from './snapshot-frames.ts'

/** What is made of a log, and whose place that of another server takes when the log no longer has what it lacks. */
export interface SnapshotTarget {
  /** it answers nothing of the present until a snapshot was installed */
  readonly isBehind: boolean
  setBehind(): void
  /** Position that is wanted next; `isForced`: whatever the other's log has, as what is here is of no use. */
  wanted(): { next: number; isForced: boolean }
  /** Reads all of a file that came. Rejects when it is not whole. */
  check(file: string): Promise<SnapshotFile>
  /** Why a whole one is of no use here, for people; null: it is of use. */
  problem(found: SnapshotFile): string | null
  /** Puts the file in the place of its own, and goes on from there with the log. */
  install(file: string, base: LogBase): Promise<void>
}

export interface SnapshotSinkOptions {
  peers: Peers
  others: () => readonly bigint[]
  target: SnapshotTarget
  /** where what has come is kept, beside what it will replace */
  file: string
  logger: Logger
  onFatal: (error: MusterError) => void
}

export interface SnapshotSink {
  /** Gets a snapshot, from that server first, unless one is under way; without effect if its log still has what is wanted next. */
  want(from: bigint | null): void
  /** bytes of parts of a snapshot, and of what else came for it, that nobody looked at yet */
  waitingBytes(): number
  stop(): Promise<void>
}

/** Parts asked for and not here yet. */
const OUTSTANDING_MAX = 2
const OFFER_MS = 60_000
const PART_MS = 3000
const INBOX_MAX = 16
/** So often a part is asked for again before another server is tried. */
const TRIES_MAX = 10
const PAUSE_MS = 200

/** Of an unfinished snapshot: from whom it comes. Beside it, so that the next process goes on where this one ended. */
interface Kept {
  from: string
  offer: SnapshotOffer
}

type Came = { from: bigint; message: SnapshotMessage; bytes: Uint8Array }

/**
 * Gets the state of another server when its own cannot be brought up from the log any more: asks part after part, checks the whole, and has it
 * put in the place of what is here.
 */
export function createSnapshotSink(options: SnapshotSinkOptions): SnapshotSink {
  const { peers, others, target, file, logger } = options
  const keptFile = `${file}.json`
  let running: Promise<void> | null = null
  let isStopped = false
  /** what came and nobody looked at yet: two parts may come at once */
  let inbox: Came[] = []
  let wake: (() => void) | null = null

  const send = (to: bigint, message: SnapshotMessage): void => peers.send(to, CHANNEL.snapshot, encodeSnapshotFrame(message))
  const stopHearing = peers.onFrame(CHANNEL.snapshot, (from, frame) => {
    const decoded = decodeSnapshotFrame(frame)
    if (decoded === null || running === null || inbox.length >= INBOX_MAX) return
    inbox.push({ from, ...decoded })
    wake?.()
  })

  /** The next thing that is of interest; null: nothing came in time. */
  const next = async <T>(pick: (came: Came) => T | null, withinMs: number): Promise<T | null> => {
    const untilMs = performance.now() + withinMs
    while (!isStopped) {
      for (let came = inbox.shift(); came !== undefined; came = inbox.shift()) {
        const picked = pick(came)
        if (picked !== null) return picked
      }
      const leftMs = untilMs - performance.now()
      if (leftMs <= 0) return null
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, leftMs)
        wake = () => {
          clearTimeout(timer)
          resolve()
        }
      })
      wake = null
    }
    return null
  }

  const askFor = async (from: bigint): Promise<SnapshotOffer | 'none' | null> => {
    inbox = []
    // The question may be lost on the way; a server that makes a snapshot for it meanwhile makes one.
    for (const untilMs = performance.now() + OFFER_MS; performance.now() < untilMs && !isStopped;) {
      send(from, { kind: 'ask', ...target.wanted() })
      const answer = await next((came) => {
        if (came.from !== from) return null
        if (came.message.kind === 'offer') return came.message.offer
        if (came.message.kind !== 'none') return null
        logger.info('another server gives no snapshot', { from: from.toString(16), reason: came.message.reason })
        return 'none'
      }, PART_MS)
      if (answer !== null) return answer
    }
    return null
  }

  /** Appends parts until all are here. False: the other no longer has it or does not answer. */
  const fetch = async (from: bigint, { id, sizeBytes }: SnapshotOffer, handle: FileHandle, have: number): Promise<boolean> => {
    let written = have
    let asked = have
    let tries = 0
    // What came before its turn: two are under way, and a part that was asked for twice comes twice.
    const early = new Map<number, Uint8Array>()
    while (written < sizeBytes && !isStopped) {
      while (asked < sizeBytes && asked < written + OUTSTANDING_MAX * PART_BYTES) {
        send(from, { kind: 'get', id, offset: asked })
        asked += PART_BYTES
      }
      const came = await next(({ from: who, message, bytes }) => {
        if (who !== from || !('id' in message) || message.id !== id) return null
        if (message.kind === 'gone') return 'gone'
        return message.kind === 'part' ? { offset: message.offset, bytes } : null
      }, PART_MS)
      if (came === 'gone') return false
      if (came === null) {
        tries += 1
        if (tries === TRIES_MAX) return false
        asked = written
        continue
      }
      tries = 0
      early.set(came.offset, came.bytes)
      for (let part = early.get(written); part !== undefined && part.length > 0; part = early.get(written)) {
        early.delete(written)
        await handle.write(part, 0, part.length, written)
        written += part.length
      }
      for (const offset of early.keys()) if (offset < written) early.delete(offset)
    }
    return written === sizeBytes
  }

  const kept = (): Kept | null => {
    try {
      return JSON.parse(readFileSync(keptFile, 'utf8')) as Kept
    } catch {
      return null
    }
  }

  const drop = async (): Promise<void> => {
    await rm(keptFile, { force: true })
    await rm(file, { force: true })
  }

  /** One try with one server. True: nothing more is wanted. */
  const attempt = async (from: bigint, unfinished: SnapshotOffer | null): Promise<boolean> => {
    const offer = unfinished ?? (await askFor(from))
    if (offer === null) return false
    if (offer === 'none') return !target.isBehind
    target.setBehind()
    if (unfinished === null) {
      await drop()
      writeFileSync(keptFile, JSON.stringify({ from: from.toString(), offer } satisfies Kept), { mode: 0o600 })
    }
    const have = Math.min(statSync(file, { throwIfNoEntry: false })?.size ?? 0, offer.sizeBytes)
    logger.info('gets a snapshot', { from: from.toString(16), position: offer.base.position - 1, bytes: offer.sizeBytes, have })
    const handle = await open(file, have === 0 ? 'w' : 'r+', 0o600)
    let isWhole = false
    try {
      isWhole = await fetch(from, offer, handle, have)
      if (isWhole) await handle.sync()
    } finally {
      await handle.close()
    }
    // A connection that was lost is no reason to begin anew, nor is this server's end.
    if (!isWhole) {
      if (!isStopped) await drop()
      return isStopped
    }
    const found = await target.check(file).catch((error: unknown) => String(error))
    if (typeof found === 'string' || found.sha256 !== offer.sha256 || found.position + 1 !== offer.base.position) {
      logger.error('a snapshot is not what was offered', {
        from: from.toString(16),
        found: typeof found === 'string' ? found : found.sha256,
      })
      await drop()
      return false
    }
    const problem = target.problem(found)
    if (problem !== null) {
      logger.warn('a snapshot is of no use here', { from: from.toString(16), position: found.position, reason: problem })
      await drop()
      return false
    }
    await install(offer)
    return !target.isBehind
  }

  const install = async ({ base, sizeBytes }: SnapshotOffer): Promise<void> => {
    const startedAtMs = performance.now()
    // The file is about to take its place: nothing of it can be asked for again.
    await rm(keptFile, { force: true })
    await target.install(file, base)
    const ms = Math.round(performance.now() - startedAtMs)
    logger.info('goes on from a snapshot', { position: base.position - 1, bytes: sizeBytes, ms })
  }

  const run = async (first: bigint | null): Promise<void> => {
    const unfinished = kept()
    const order = [...(first === null ? [] : [first]), ...others().filter((id) => id !== first)]
    if (unfinished !== null && (await attempt(BigInt(unfinished.from), unfinished.offer))) return
    for (let i = 0; !isStopped; i += 1) {
      if (await attempt(order[i % order.length] as bigint, null)) return
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS))
    }
  }

  return {
    want: (from) => {
      if (running !== null || isStopped) return
      running = run(from)
        .catch((error: unknown) => options.onFatal(isRefusal(error) ? error : diskFailed(file, error)))
        .finally(() => {
          running = null
        })
    },
    waitingBytes: () => inbox.reduce((sum, { bytes }) => sum + bytes.length, 0),
    stop: async () => {
      isStopped = true
      stopHearing()
      wake?.()
      await Promise.race([running, new Promise((resolve) => setTimeout(resolve, PART_MS))])
    },
  }
}
