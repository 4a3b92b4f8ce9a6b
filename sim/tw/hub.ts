import type { Entry } from '../../src/core/contracts/entry.ts'
import type { DesiredTask, NodeLook, NodeOrders, NodeReport, Reign } from '../../src/core/contracts/node.ts'
import { isRefusal } from '../../src/core/kernel/errors.ts'
import { FleetCache } from '../../src/core/tw/controllers/fleet-cache.ts'
import { nodeJoin, tasksReport } from '../../src/core/tw/operations.ts'
import { desiredTasks, reportChanges, type TwSoft } from '../../src/core/tw/queries.ts'
import { Beat } from '../../src/server/tw/beat.ts'
import { createPeerLooks, type PeerLooks } from '../../src/server/tw/peer-looks.ts'
import type { SimServer } from './server.ts'
import type { TwWorld } from './world.ts'

export type Orders = Pick<NodeOrders, 'kind' | 'position' | 'tasks'> & { reign: Reign }

/** What a server says to an agent; pings are not sent, but seen by whoever could have got one. */
export type ToAgent = Orders | NodeLook

/** The server's way to an agent: what is sent comes in order, or not at all once something was lost. */
export interface Stream {
  readonly node: string
  /** something was lost: nothing comes any more, no ping either */
  isBroken: boolean
  send: (message: ToAgent) => void
  close: () => void
}

const PING_MS = 1000

interface Link {
  stream: Stream | null
  /** last orders sent, without their position, to tell whether anything changed */
  sentOrders: string
  /** identity the state knows */
  joined: string
  /** last report that said nothing new, since when nothing of the node has changed */
  seen: string
  isDue: boolean
}

/** What an entry of these types changes of the orders is told by the nodes it names. */
const TELLS_NODES: ReadonlySet<string> = new Set(['tw.TasksPlaced', 'tw.TasksReported'])
/** These change no orders. */
const CHANGES_NONE: ReadonlySet<string> = new Set([
  'tw.JobSubmitted',
  'tw.NodeJoined',
  'tw.NodeSet',
  'tw.TasksRejected',
  'tw.DrainStarted',
  'tw.DrainFinished',
  'tw.ServiceSet',
  'tw.SplitSet',
  'tw.SplitApplied',
])

/** The server's end of the agents' streams and reports, as `server/tw/agents.ts` has it: whole orders out, whole states in. */
export class Hub {
  readonly #world: TwWorld
  readonly #server: SimServer
  readonly #links = new Map<string, Link>()
  readonly #beats = new Map<string, Beat>()
  readonly #cache = new FleetCache()
  readonly #peers: PeerLooks
  #isPushDue = false
  #isClosed = false

  constructor(world: TwWorld, server: SimServer) {
    this.#world = world
    this.#server = server
    const prng = world.fork()
    this.#peers = createPeerLooks({
      db: server.db,
      beats: this.#beats,
      connected: () => [...this.#links].flatMap(([node, { stream }]) => (stream === null ? [] : [node])),
      send: (node, message) => {
        if (message.kind === 'look') this.#linkOf(node).stream?.send(message)
      },
      changed: () => server.wake('tw.nodes'),
      clock: () => world.queue.now,
      random: () => prng.next(),
    })
  }

  /** The server leads from here on, and listens: nobody was heard yet, and everybody's time begins now. */
  begin(): void {
    for (const { name } of this.#server.db.all<{ name: string }>('SELECT name FROM tw_node')) this.#beatOf(name)
    this.#round()
  }

  #round(): void {
    this.#server.after(PING_MS, () => {
      if (this.#isClosed) return
      this.#peers.round()
      this.#round()
    })
  }

  close(): void {
    this.#isClosed = true
    for (const { stream } of this.#links.values()) stream?.close()
    this.#links.clear()
  }

  soft(): TwSoft {
    return { beats: this.#beats, looks: this.#peers.looks, cache: this.#cache, position: () => this.#server.applied }
  }

  /** An agent comes; it is sent away again while another of its name is heard. */
  open(stream: Stream, life: { bootId: string; instance: number }): void {
    const link = this.#linkOf(stream.node)
    const beat = this.#beatOf(stream.node)
    try {
      beat.connect(stream.node, life)
    } catch (error) {
      if (!isRefusal(error)) throw error
      return stream.close()
    }
    link.stream?.close()
    link.stream = stream
    link.sentOrders = ''
    link.isDue = true
    this.#pushSoon()
  }

  /** It is sent to, and pinged each second. */
  holds(stream: Stream): boolean {
    return this.#links.get(stream.node)?.stream === stream && !stream.isBroken
  }

  /** The agent, or what is between, ended it. */
  closed(stream: Stream): void {
    const link = this.#links.get(stream.node)
    if (link?.stream !== stream) return
    link.stream = null
    this.#beatOf(stream.node).disconnect()
    this.#server.wake('tw.nodes')
  }

  /** Looks again at what the agents should be told. */
  refresh(entries: readonly Entry[]): void {
    const { tellsStops, cacheSeesReports } = this.#world.rules
    const isSeen = ({ type }: Entry): boolean => cacheSeesReports || type !== 'tw.TasksReported'
    this.#cache.apply(
      this.#server.db,
      entries.map((entry) => (isSeen(entry) ? entry : { ...entry, type: 'tw.TasksForgotten' })),
    )
    for (const entry of entries) {
      if (CHANGES_NONE.has(entry.type) || (!tellsStops && entry.type !== 'tw.TasksPlaced')) continue
      const nodes = TELLS_NODES.has(entry.type) ? nodesOf(entry) : [...this.#links.keys()]
      for (const node of nodes) {
        const link = this.#links.get(node)
        if (link === undefined) continue
        link.isDue = true
        link.seen = ''
      }
    }
    this.#pushSoon()
  }

  /** @param madeAt true time at which the agent said it, ms: for the checks alone */
  report(body: NodeReport, madeAt: number): void {
    if (!this.#server.leads) return
    const { node, bootId } = body.identity
    const link = this.#linkOf(node)
    const beat = this.#beatOf(node)
    if (!isHeard(beat, body) && this.#world.rules.knowsLateReports) return
    beat.meshPosition = this.#world.meshPosition
    this.#peers.hear(body)
    if (this.#world.leader === this.#server) this.#world.checks.heardAt.set(node, this.#world.queue.now)
    const actor = `agent:${node}`
    const identity = JSON.stringify(body.identity)
    if (link.joined !== identity) {
      if (this.#server.run(nodeJoin, { identity: body.identity }, actor) !== 'done') return
      link.joined = identity
    }
    const seen = `${JSON.stringify(body.tasks)}${body.position}`
    if (link.seen === seen) return
    const tasks = reportChanges(this.#server.db, body)
    if (tasks.length > 0) {
      this.#world.checks.reported(madeAt)
      this.#server.run(tasksReport, { node, bootId, instance: body.instance, seq: body.seq, tasks }, actor)
    } else link.seen = seen
  }

  #beatOf(node: string): Beat {
    let beat = this.#beats.get(node)
    if (beat === undefined) this.#beats.set(node, (beat = new Beat(() => this.#world.queue.now)))
    return beat
  }

  #pushSoon(): void {
    if (this.#isPushDue) return
    this.#isPushDue = true
    this.#server.after(0.1, () => {
      this.#isPushDue = false
      this.#push()
    })
  }

  #push(): void {
    for (const [node, link] of this.#links) {
      if (!link.isDue || link.stream === null) continue
      link.isDue = false
      const tasks = desiredTasks(this.#server.db, node)
      const orders = JSON.stringify(tasks)
      if (orders === link.sentOrders) continue
      link.sentOrders = orders
      link.stream.send({
        kind: 'orders',
        reign: this.#server.reign,
        position: this.#server.applied,
        tasks: JSON.parse(orders) as DesiredTask[],
      })
    }
  }

  #linkOf(node: string): Link {
    let link = this.#links.get(node)
    if (link === undefined) {
      link = { stream: null, sentOrders: '', joined: '', seen: '', isDue: true }
      this.#links.set(node, link)
    }
    return link
  }
}

/** False: it is late, doubled, or of another agent than the one that is there. */
function isHeard(beat: Beat, report: NodeReport): boolean {
  try {
    return beat.hear(report)
  } catch (error) {
    if (isRefusal(error)) return false
    throw error
  }
}

function nodesOf(entry: Entry): string[] {
  const body = entry.body as { node?: string; tasks: readonly { node?: string }[] }
  return body.node === undefined ? body.tasks.flatMap(({ node }) => (node === undefined ? [] : [node])) : [body.node]
}
