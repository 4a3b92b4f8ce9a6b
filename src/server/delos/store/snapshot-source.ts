import { randomBytes } from 'node:crypto'
import { mkdir, open, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { OrderedLog } from '../../../core/contracts/ordered-log.ts'
import type { Logger } from '../../../platform/logger.ts'
import { CHANNEL, type Peers } from '../quorum/peers.ts'
import type { SnapshotFile } from './snapshot-file.ts'
import { decodeSnapshotFrame, encodeSnapshotFrame, PART_BYTES, type SnapshotMessage, type SnapshotOffer } from './snapshot-frames.ts'

export interface SnapshotSourceOptions {
  peers: Peers
  log: OrderedLog
  /** Makes a consistent copy of what is written to meanwhile, at that file. Rejects having left nothing. */
  make: (file: string) => Promise<SnapshotFile>
  /** where copies are kept for a while; what an earlier process left in it goes */
  dir: string
  /** why what is here is of no use to anybody; null: it may be. Without it, it is. */
  refusal?: () => string | null
  logger: Logger
}

/** A copy that so many askers may share. */
const FRESH_MS = 30_000
/** Time without a question, after which it goes. */
const KEEP_MS = 10 * 60_000
const LOOK_MS = 10_000

/** A copy that is there for other servers. */
export interface KeptCopy {
  file: string
  position: number
  revision: number
  sizeBytes: number
  sha256: string
  /** ms since the epoch */
  madeAt: number
}

export interface SnapshotSource {
  copies(): KeptCopy[]
  /** What was made so far is of no use: whoever is getting it begins anew, elsewhere. */
  forget(): void
  stop(): Promise<void>
}

interface Made {
  offer: SnapshotOffer
  copy: KeptCopy
  file: string
  madeAtMs: number
  askedAtMs: number
}

/** Makes snapshots of this server's state for others that ask, and hands them out in parts. */
export async function serveSnapshots({ peers, log, make: makeFile, dir, refusal, logger }: SnapshotSourceOptions): Promise<SnapshotSource> {
  await rm(dir, { recursive: true, force: true })
  await mkdir(dir, { recursive: true, mode: 0o700 })
  const made = new Map<string, Made>()
  let making: Promise<Made | string> | null = null
  let forgotten = 0
  const send = (to: bigint, message: SnapshotMessage, bytes?: Uint8Array): void =>
    peers.send(to, CHANNEL.snapshot, encodeSnapshotFrame(message, bytes))

  const make = async (): Promise<Made | string> => {
    const id = randomBytes(8).toString('hex')
    const file = join(dir, `${id}.db`)
    const startedAtMs = performance.now()
    const before = forgotten
    const { sizeBytes, sha256, position, revision } = await makeFile(file)
    const base = log.baseAt(position)
    if (base === null || position === 0 || before !== forgotten) {
      await rm(file, { force: true })
      return before !== forgotten ? 'what it has is of no use' : `what it has goes to position ${position}, where the log cannot be joined`
    }
    const ms = Math.round(performance.now() - startedAtMs)
    logger.info('made a snapshot for another server', { position, bytes: sizeBytes, ms })
    const now = performance.now()
    const copy = { file, position, revision, sizeBytes, sha256, madeAt: Date.now() }
    const found = { offer: { id, sizeBytes, sha256, base }, copy, file, madeAtMs: now, askedAtMs: now }
    made.set(id, found)
    return found
  }

  const isUseful = ({ offer }: Made, next: number, isForced: boolean): boolean => isForced || offer.base.position > next

  const drop = ({ offer, file }: Made): void => {
    made.delete(offer.id)
    void rm(file, { force: true })
  }

  const onAsk = async (from: bigint, next: number, isForced: boolean): Promise<void> => {
    const reason = refusal?.() ?? null
    if (reason !== null) return send(from, { kind: 'none', reason })
    if (!isForced && next >= log.head()) return send(from, { kind: 'none', reason: 'the log still has it' })
    const now = performance.now()
    let found: Made | string | undefined = [...made.values()].find(
      (one) => now - one.madeAtMs < FRESH_MS && isUseful(one, next, isForced) && one.offer.base.position >= log.head(),
    )
    if (found === undefined) {
      making ??= make().finally(() => {
        making = null
      })
      found = await making.catch((error: unknown) => String(error))
    }
    if (typeof found === 'string') return send(from, { kind: 'none', reason: found })
    found.askedAtMs = performance.now()
    if (!isUseful(found, next, isForced)) return send(from, { kind: 'none', reason: 'the rows here are not newer' })
    send(from, { kind: 'offer', offer: found.offer })
  }

  const onGet = async (from: bigint, id: string, offset: number): Promise<void> => {
    const found = made.get(id)
    if (found === undefined) return send(from, { kind: 'gone', id })
    found.askedAtMs = performance.now()
    const handle = await open(found.file, 'r')
    try {
      const bytes = new Uint8Array(Math.max(0, Math.min(PART_BYTES, found.offer.sizeBytes - offset)))
      const { bytesRead } = await handle.read(bytes, 0, bytes.length, offset)
      send(from, { kind: 'part', id, offset }, bytes.subarray(0, bytesRead))
    } finally {
      await handle.close()
    }
  }

  const failed = (error: unknown): void => logger.error('a snapshot for another server failed', { error: String(error) })
  const stopHearing = peers.onFrame(CHANNEL.snapshot, (from, frame) => {
    const message = decodeSnapshotFrame(frame)?.message
    if (message?.kind === 'ask') void onAsk(from, message.next, message.isForced).catch(failed)
    else if (message?.kind === 'get') void onGet(from, message.id, message.offset).catch(failed)
  })
  const timer = setInterval(() => {
    for (const each of made.values()) if (performance.now() - each.askedAtMs >= KEEP_MS) drop(each)
  }, LOOK_MS)
  timer.unref()
  return {
    forget: () => {
      forgotten += 1
      for (const each of made.values()) drop(each)
    },
    copies: () => [...made.values()].map(({ copy }) => copy),
    stop: async () => {
      stopHearing()
      clearInterval(timer)
      await making?.catch(() => undefined)
      await rm(dir, { recursive: true, force: true })
    },
  }
}
