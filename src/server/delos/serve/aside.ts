import type { Logger } from '../../../platform/logger.ts'
import type { OrderedLog } from '../../../core/contracts/ordered-log.ts'
import { CHANNEL, type Peers } from '../quorum/peers.ts'

/** What servers tell each other beside the log: soft, small, JSON. */
type Message =
  | { kind: 'ask'; id: number; what: string; body: unknown }
  | { kind: 'answer'; id: number; body: unknown }
  /** the sender cannot answer: it is not the leader */
  | { kind: 'notLeader'; id: number }
  | { kind: 'tell'; what: string; body: unknown }
  /** how far away are you, and what time is it there */
  | { kind: 'ping'; sentAt: number }
  | { kind: 'pong'; sentAt: number; nowMs: number }

export interface Aside {
  /** Asks the leader, wherever it is; rejects when none answered in time. Bodies are JSON. */
  askLeader<T>(what: string, body: unknown): Promise<T>
  /** Tells all other servers, once. */
  tell(what: string, body: unknown): void
  /** Tells all other servers, now and again. */
  announce(what: string, body: () => unknown): void
  onAsk(what: string, answer: (body: never) => unknown): void
  onTell(what: string, listener: (body: never) => void): void
  /** Told, about every second, of each other server how far away it is, and how much its clock is ahead of ours. */
  onPong(listener: (from: bigint, roundTripMs: number, clockSkewMs: number) => void): void
  /** Once the others and the log are there. */
  attach(peers: Peers, log: OrderedLog, self: bigint, others: () => readonly bigint[]): void
  stop(): void
}

const TRY_MS = 1000
const GIVE_UP_MS = 5000
const RETRY_MS = 50
const ANNOUNCE_MS = 1000

export function createAside(logger: Logger): Aside {
  let peers: Peers | null = null
  let log: OrderedLog | null = null
  let self = 0n
  let others: () => readonly bigint[] = () => []
  let lastId = 0
  const waiting = new Map<number, (message: Message | null) => void>()
  const answers = new Map<string, (body: never) => unknown>()
  const listeners = new Map<string, (body: never) => void>()
  const announced: { what: string; body: () => unknown }[] = []
  let onPong: Parameters<Aside['onPong']>[0] = () => undefined

  const send = (to: bigint, message: Message): void => peers?.send(to, CHANNEL.aside, Buffer.from(JSON.stringify(message)))

  /** One try; null: not answered, or not by a leader. */
  const ask = (to: bigint, what: string, body: unknown): Promise<Message | null> =>
    new Promise((resolve) => {
      lastId += 1
      const id = lastId
      const timer = setTimeout(() => waiting.get(id)?.(null), TRY_MS)
      waiting.set(id, (message) => {
        clearTimeout(timer)
        waiting.delete(id)
        resolve(message)
      })
      send(to, { kind: 'ask', id, what, body })
    })

  const onFrame = (from: bigint, frame: Uint8Array): void => {
    let message: Message
    try {
      message = JSON.parse(Buffer.from(frame.buffer, frame.byteOffset, frame.byteLength).toString('utf8')) as Message
    } catch {
      logger.warn('dropped what another server said beside the log', { from: from.toString(16) })
      return
    }
    if (message.kind === 'answer' || message.kind === 'notLeader') waiting.get(message.id)?.(message)
    else if (message.kind === 'ping') send(from, { kind: 'pong', sentAt: message.sentAt, nowMs: Date.now() })
    else if (message.kind === 'pong') {
      const roundTripMs = performance.now() - message.sentAt
      onPong(from, roundTripMs, message.nowMs + roundTripMs / 2 - Date.now())
    } else if (message.kind === 'tell') listeners.get(message.what)?.(message.body as never)
    else if (log?.role().isLeader !== true) send(from, { kind: 'notLeader', id: message.id })
    else {
      const { id, what, body } = message
      void Promise.resolve(answers.get(what)?.(body as never)).then((answer) => send(from, { kind: 'answer', id, body: answer }))
    }
  }

  const timer = setInterval(() => {
    for (const to of others()) send(to, { kind: 'ping', sentAt: performance.now() })
    for (const { what, body } of announced) for (const to of others()) send(to, { kind: 'tell', what, body: body() })
  }, ANNOUNCE_MS)
  timer.unref()

  return {
    askLeader: async <T>(what: string, body: unknown): Promise<T> => {
      const giveUpAt = performance.now() + GIVE_UP_MS
      for (;;) {
        // A lone server has nobody else to ask.
        const leader = log === null ? self : log.role().leader
        if (leader === self) return (await answers.get(what)?.(body as never)) as T
        const answer = leader === null ? null : await ask(leader, what, body)
        if (answer?.kind === 'answer') return answer.body as T
        if (performance.now() > giveUpAt) throw new Error(`no leader answered ${what}`)
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS))
      }
    },
    tell: (what, body) => {
      for (const to of others()) send(to, { kind: 'tell', what, body })
    },
    announce: (what, body) => void announced.push({ what, body }),
    onAsk: (what, answer) => void answers.set(what, answer),
    onTell: (what, listener) => void listeners.set(what, listener),
    onPong: (listener) => {
      onPong = listener
    },
    attach: (connections, ordered, id, rest) => {
      peers = connections
      log = ordered
      self = id
      others = rest
      peers.onFrame(CHANNEL.aside, onFrame)
    },
    stop: () => clearInterval(timer),
  }
}
