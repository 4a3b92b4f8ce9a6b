import type { Entry } from '../../src/core/contracts/entry.ts'
import type { DesiredTask, NodeReport } from '../../src/core/contracts/node.ts'
import { nodeJoin, tasksReport } from '../../src/core/tw/operations.ts'
import { desiredTasks, reportChanges, type NodeBeat, type TwSoft } from '../../src/core/tw/queries.ts'
import type { SimServer } from './server.ts'
import type { TwWorld } from './world.ts'

/** The server's way to an agent: what is sent comes in order, or not at all once something was lost. */
export interface Stream {
  readonly node: string
  /** something was lost: nothing comes any more, no ping either */
  isBroken: boolean
  send: (position: number, tasks: readonly DesiredTask[]) => void
  close: () => void
}

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
  readonly #beats = new Map<string, NodeBeat>()
  #isPushDue = false

  constructor(world: TwWorld, server: SimServer) {
    this.#world = world
    this.#server = server
  }

  /** The server leads from here on, and listens. */
  begin(): void {
    for (const { name } of this.#server.db.all<{ name: string }>('SELECT name FROM tw_node')) this.#hear(name, '', 0, false)
  }

  close(): void {
    for (const { stream } of this.#links.values()) stream?.close()
    this.#links.clear()
  }

  soft(): TwSoft {
    return { beats: this.#beats }
  }

  open(stream: Stream): void {
    const link = this.#linkOf(stream.node)
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
    const beat = this.#beats.get(stream.node)
    if (beat) beat.connected = false
    this.#server.wake('tw.nodes')
  }

  /** Looks again at what the agents should be told. */
  refresh(entries: readonly Entry[]): void {
    for (const entry of entries) {
      if (CHANGES_NONE.has(entry.type)) continue
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
    const { node, bootId } = body.identity
    const link = this.#linkOf(node)
    const position = this.#world.meshPosition
    this.#hear(node, bootId, position, link.stream !== null)
    this.#world.checks.heardAt.set(node, this.#world.queue.now)
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

  /** Ages go by true time, as the server's do by a clock that is never set. */
  #hear(node: string, bootId: string, meshPosition: number, connected: boolean): void {
    const { queue } = this.#world
    const at = queue.now
    this.#beats.set(node, {
      get ageMs() {
        return queue.now - at
      },
      ...{ bootId, meshPosition, connected },
    })
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
      link.stream.send(this.#server.applied, JSON.parse(orders) as DesiredTask[])
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

function nodesOf(entry: Entry): string[] {
  const body = entry.body as { node?: string; tasks: readonly { node?: string }[] }
  return body.node === undefined ? body.tasks.flatMap(({ node }) => (node === undefined ? [] : [node])) : [body.node]
}
