import { mkdir, rm, stat, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { decodeFrame, encodeFrame } from '../../../core/delos/paxos/codec.ts'
import { decideRejoin, type Rejoined, type Testimony } from '../../../core/delos/paxos/rejoin.ts'
import { syncDirectory } from '../../../platform/files.ts'
import { listSegments } from '../segment-files.ts'
import { CHANNEL, type Peers } from './peers.ts'

/*
 * How a server with an empty disk asks the others (`core/delos/paxos/rejoin.ts` says why). A question is the loglet's id, u32; an answer is the message
 * of phase 1 that says the same, which nobody may take for a promise: it has a channel of its own.
 */

const QUESTION_BYTES = 4
const ASK_EVERY_MS = 100
/** Says that this disk holds nothing that may be relied on yet; gone when the others were asked. */
const ASKING = 'asking'

const isThere = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  )

/** Whether the disk is empty, so that the others have to be asked. What an earlier try left behind is removed. */
export async function mustAsk(dir: string): Promise<boolean> {
  await mkdir(dir, { recursive: true, mode: 0o700 })
  await syncDirectory(dirname(dir))
  const mark = join(dir, ASKING)
  const journal = join(dir, 'journal')
  if (!(await isThere(mark))) {
    const isEmpty = !(await isThere(join(dir, 'acceptor'))) && (await listSegments(journal).catch(() => [])).length === 0
    if (!isEmpty) return false
    await writeFile(mark, '', { mode: 0o600, flush: true })
    await syncDirectory(dir)
  }
  for (const name of ['acceptor', 'base', 'journal']) await rm(join(dir, name), { recursive: true, force: true })
  await syncDirectory(dir)
  return true
}

export async function askedEnough(dir: string): Promise<void> {
  await rm(join(dir, ASKING), { force: true })
  await syncDirectory(dir)
}

function questionOf(loglet: number): Uint8Array {
  const bytes = new Uint8Array(QUESTION_BYTES)
  new DataView(bytes.buffer).setUint32(0, loglet, true)
  return bytes
}

/** Tells who asks what is known here of a loglet. Gives what ends it. */
export function answerAsks(peers: Peers, loglet: number, testimony: () => Testimony): () => void {
  return peers.onFrame(CHANNEL.rejoin, (from, frame) => {
    if (frame.length !== QUESTION_BYTES || new DataView(frame.buffer, frame.byteOffset).getUint32(0, true) !== loglet) return
    const { promised: ballot, ...known } = testimony()
    peers.send(from, CHANNEL.rejoin, encodeFrame(loglet, 0, { kind: 'promise', ballot, ...known }))
  })
}

interface Asking {
  peers: Peers
  loglet: number
  /** ids of servers by their numbers, as the machine counts them */
  servers: ReadonlyMap<number, bigint>
  self: number
  voters: readonly number[]
  mayBeNew: boolean
}

/** Asks all others until it is known what to begin with; null: stopped before. */
export function askToRejoin({ peers, loglet, servers, self, voters, mayBeNew }: Asking): {
  rejoined: Promise<Rejoined | null>
  stop: () => void
} {
  const testimonies = new Map<number, Testimony>()
  const done = Promise.withResolvers<Rejoined | null>()
  const ask = (): void => {
    for (const voter of voters) if (voter !== self) peers.send(servers.get(voter) as bigint, CHANNEL.rejoin, questionOf(loglet))
  }
  const stopHearing = peers.onFrame(CHANNEL.rejoin, (from, frame) => {
    const found = frame.length > QUESTION_BYTES ? decodeFrame(frame) : null
    const voter = voters.find((one) => servers.get(one) === from)
    if (found?.loglet !== loglet || found.message.kind !== 'promise' || voter === undefined) return
    const { ballot, committed, accepted, unknown, isSealed } = found.message
    testimonies.set(voter, { promised: ballot, committed, accepted, unknown, isSealed })
    look()
  })
  const timer = setInterval(ask, ASK_EVERY_MS)
  const look = (): void => {
    const rejoined = decideRejoin(voters, self, testimonies, mayBeNew)
    if (rejoined !== null) finish(rejoined)
  }
  const finish = (rejoined: Rejoined | null): void => {
    clearInterval(timer)
    stopHearing()
    done.resolve(rejoined)
  }
  ask()
  look()
  return { rejoined: done.promise, stop: () => finish(null) }
}
