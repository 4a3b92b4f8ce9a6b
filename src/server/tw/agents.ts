import type { FastifyInstance } from 'fastify'
import type { ServerResponse } from 'node:http'
import { BEATS_TYPE } from '../../core/contracts/beats.ts'
import type { Entry } from '../../core/contracts/entry.ts'
import type { FaultOrder } from '../../core/contracts/fault.ts'
import type { MeshSnapshot } from '../../core/contracts/mesh.ts'
import type { DesiredTask, FaultReport, FromServer, NodePing, NodeReport, Reign } from '../../core/contracts/node.ts'
import { refuse } from '../../core/kernel/errors.ts'
import { nodeConditions, nodeJoin, profileReport, tasksReport } from '../../core/tw/operations.ts'
import {
  agentPorts,
  desiredTasks,
  MeshCache,
  isSplitWaiting,
  nodeKeyRow,
  nodesTouched,
  reportChanges,
  stoppingTasks,
  type PeerLook,
  settingsOf,
} from '../../core/tw/queries.ts'
import { callerOf } from '../api/callers.ts'
import type { ServerHost } from '../host.ts'
import type { TaskTokens } from './task-tokens.ts'
import { VIA_HEADER } from '../following/pass-on.ts'
import { Beat } from './beat.ts'
import { takeBeats, type BeatTaker } from './beat-stream.ts'
import { Relays } from './relays.ts'
import { StartGate } from './start-gate.ts'
import { createPeerLooks } from './peer-looks.ts'
import { startSpans } from './task-spans.ts'
import { createTaskTelemetry } from '../scuba/task-telemetry.ts'

/** Other systems' part in what agents are told and say: set by their wiring. */
export interface AgentHooks {
  faultsOf: (node: string) => FaultOrder[]
  /** runs whose faults may go on now */
  go: () => NodePing['go']
  onFaults: (node: string, faults: FaultReport[]) => void
}

export interface AgentHub {
  beats: ReadonlyMap<string, Beat>
  /** what peers found out about silent nodes */
  looks: ReadonlyMap<string, PeerLook>
  gateways: ReadonlyMap<string, string>
  /** what a task used when its agent last said so; undefined: it has not, or the fleet is too large to keep it */
  usage: (node: string, task: number) => { cpuMilli?: number; memoryBytes?: number } | undefined
  /** the server that each agent of another machine talks to */
  servers: ReadonlyMap<string, bigint>
  /** Whether a node's agent is on another machine than any server: it is asked by {@link AgentHub.dial}. */
  isRemote: (node: string) => boolean
  /** Tells the agent of such a node to come with this ticket; false: it is not connected. */
  dial: (node: string, ticket: string) => boolean
  hooks: AgentHooks
  /** Looks again at what each agent should be told. */
  refresh: () => void
  routes: (app: FastifyInstance) => void
  start: () => void
  stop: () => void
}

interface Link {
  stream: ServerResponse | null
  /** last orders sent, without their position, to tell whether anything changed */
  sentOrders: string
  sentMesh: string
  sentMeshPosition: number
  ackedMeshPosition: number
  ackedPosition: number
  isReporting: boolean
  /** its stream came with a certificate */
  isRemote: boolean
  latest: NodeReport | null
  /** identity and conditions the state knows, as JSON */
  joined: string
  conditions: string
  /** its last word on its profile, as JSON */
  profile: string
}

/** How long a stop signal waits for proxies that do not answer. */
const STOP_WAIT_MS = 2000
const PING_MS = 1000
/** So often it is looked who may start, while a lost domain's tasks are replaced. */
const GATE_MS = 50
/** After these a node has another key, or none. */
const KEY_CHANGES: ReadonlySet<string> = new Set(['tw.NodeAdmitted', 'tw.NodeRetired'])

/** Nodes whose last report is kept for what their tasks use; they are asked for a new one so often. */
const USAGE_NODES_MAX = 2000
const USAGE_MS = 5000
/** Reports asked for in one second: a new leader knows nothing of any node. */
const ASKED_MAX = 2000

/**
 * The server's end of the agents' streams and reports. Level-triggered: whole orders at each change, whole states back.
 * @param reign under which this server decides; null: it leads no more, and tells nobody anything
 */
export function createAgentHub(
  host: ServerHost,
  tokens: TaskTokens,
  onBeat: () => void,
  reign: () => Reign | null,
  isPresent: (server: string) => boolean = () => true,
  relaysFrom?: number,
): AgentHub {
  const links = new Map<string, Link>()
  const tellTasks = createTaskTelemetry(host.telemetry, host.now)
  // Nobody was heard yet: their time begins now.
  const beats = new Map(host.db.all<{ name: string }>('SELECT name FROM tw_node').map(({ name }) => [name, new Beat()]))
  const gateways = new Map<string, string>()
  const reported = new Map<string, { tasks: NodeReport['tasks']; atMs: number }>()
  /** connections beats come on, and who is at the other end */
  const beating = new Map<ServerResponse, string>()
  /** how many reports may still be asked for in this second */
  let asksLeft = ASKED_MAX
  const servers = new Map<string, bigint>()
  const hooks: AgentHooks = { faultsOf: () => [], go: () => [], onFaults: () => {} }
  /** nodes to be told anew; null: all */
  let touched: Set<string> | null = null
  const mesh = new MeshCache()
  let toldServices = ''
  let refreshTimer: NodeJS.Immediate | null = null
  let stopTimer: NodeJS.Timeout | null = null
  const gate = new StartGate(() => settingsOf(host.db).stormRate)
  let gateTimer: NodeJS.Timeout | null = null
  let unlisten: (() => void) | null = null
  let pinger: NodeJS.Timeout | null = null

  const linkOf = (node: string): Link => {
    let link = links.get(node)
    if (!link) {
      link = {
        stream: null,
        sentOrders: '',
        sentMesh: '',
        sentMeshPosition: 0,
        ackedMeshPosition: 0,
        ackedPosition: 0,
        isReporting: false,
        isRemote: false,
        latest: null,
        joined: '',
        conditions: '',
        profile: '',
      }
      links.set(node, link)
    }
    return link
  }

  const beatOf = (node: string): Beat => {
    let beat = beats.get(node)
    if (beat === undefined) beats.set(node, (beat = new Beat()))
    return beat
  }
  const peers = createPeerLooks({
    ...{ db: host.db, beats, changed: onBeat },
    connected: () => [...links].flatMap(([node, { stream }]) => (stream === null ? [] : [node])),
    send: (node, message) => send(linkOf(node), message),
  })

  const relays = new Relays({
    ...{ db: host.db, beats, send: (node: string, message: FromServer) => send(linkOf(node), message) },
    ...(relaysFrom === undefined ? {} : { from: relaysFrom }),
  })

  const isMeshCurrent = (link: Link, mesh: string): boolean => link.sentMesh === mesh && link.ackedMeshPosition >= link.sentMeshPosition

  const push = (): void => {
    refreshTimer = null
    const by = reign()
    if (by === null) return
    const position = host.position()
    const { services: ofMesh, text: services } = mesh.services(host.db)
    const isAll = touched === null || services !== toldServices
    const nodes = touched ?? new Set<string>()
    touched = new Set()
    toldServices = services
    const late = new Set<number>()
    const stopping = stoppingTasks(host.db)
    const isEveryoneCurrent =
      stopping.length === 0 || [...links.values()].every((link) => link.stream === null || isMeshCurrent(link, services))
    for (const task of stopping) {
      nodes.add(task.node)
      if (!isEveryoneCurrent && host.now() - task.stopAtMs < STOP_WAIT_MS) late.add(task.id)
    }
    if (late.size > 0 && !stopTimer) {
      stopTimer = setTimeout(() => {
        stopTimer = null
        push()
      }, 100)
    }
    const servers = agentPorts(host.db).flatMap(({ server, address }) => (isPresent(server) ? [address] : []))
    for (const node of isAll ? links.keys() : nodes) {
      const link = links.get(node)
      if (!link?.stream) continue
      const started = desiredTasks(host.db, node).filter((task) => !gate.holds(node, task))
      const tasks = started.map((task): DesiredTask => {
        const token = task.pulls ? tokens.of(task.id) : null
        const access = token === null ? {} : { access: { token, api: `unix:${host.paths.socket}` } }
        return { ...task, ...access, want: task.want === 'stop' && late.has(task.id) ? 'run' : task.want }
      })
      // It would be started without what it asks with; they are there in a moment.
      if (tasks.some((task) => task.pulls && task.access === undefined)) continue
      const faults = hooks.faultsOf(node)
      const elsewhere = link.isRemote ? { servers } : {}
      const orders = JSON.stringify([tasks, faults, elsewhere]) + services
      if (orders === link.sentOrders) continue
      if (services !== link.sentMesh) {
        link.sentMesh = services
        link.sentMeshPosition = position
      }
      link.sentOrders = orders
      const snapshot: MeshSnapshot = { position: link.sentMeshPosition, services: ofMesh }
      send(link, { kind: 'orders', reign: by, position, tasks, mesh: snapshot, faults, ...elsewhere })
    }
    if (gate.isBusy) gateTimer ??= setTimeout(letOut, GATE_MS)
    // Who follows how far is asked for a split that waits, and by nobody else.
    if (isAll || isSplitWaiting(host.db)) noteMesh(services, position)
  }

  /** Tells the nodes whose turn it is to start what replaces a lost domain's tasks. */
  const letOut = (): void => {
    gateTimer = null
    for (const node of gate.release()) touched?.add(node)
    pushSoon()
  }

  /** A node whose proxy has applied the newest mesh follows up to now, whatever else the log has gained since. */
  const noteMesh = (services: string, newest: number): void => {
    for (const [node, link] of links) {
      const beat = beats.get(node)
      if (!beat) continue
      const meshPosition = isMeshCurrent(link, services) ? newest : link.ackedMeshPosition
      if (meshPosition !== beat.meshPosition) {
        beat.meshPosition = meshPosition
        onBeat()
      }
    }
  }

  const refresh = (): void => {
    touched = null
    pushSoon()
  }

  const pushSoon = (): void => {
    refreshTimer ??= setImmediate(push)
  }

  const follow = (entries: readonly Entry[]): void => {
    mesh.apply(host.db, entries)
    for (const entry of entries) {
      const isTw = entry.type.startsWith('tw.')
      // What faults a node is to have is chaos' to say.
      const nodes = isTw ? nodesTouched(host.db, entry) : entry.type.startsWith('chaos.') ? null : []
      if (entry.type === 'tw.AgentPortSet') touched = null
      if (nodes === null) touched = null
      for (const node of nodes ?? []) touched?.add(node)
      // What was no news to the state before may be news to it now.
      if (isTw) for (const beat of nodes === null ? beats.values() : nodes.flatMap((node) => beats.get(node) ?? [])) beat.concluded = null
      gate.note(host.db, entry)
      if (KEY_CHANGES.has(entry.type)) hangUp((entry.body as { node: string }).node)
    }
    pushSoon()
  }

  /** Whoever spoke for this node with a certificate has to show anew that it may. */
  const hangUp = (node: string): void => {
    const actor = `agent:${node}`
    for (const [connection, speaker] of beating) if (speaker === actor) connection.destroy()
    if (links.get(node)?.isRemote === true) links.get(node)?.stream?.destroy()
  }

  /** Asks an agent for its whole report, unless one is being worked on or enough were asked. */
  const askReport = (node: string): void => {
    const link = linkOf(node)
    if (link.isReporting || link.stream === null || asksLeft <= 0) return
    asksLeft -= 1
    send(link, { kind: 'report' })
  }

  const report = async (body: NodeReport): Promise<void> => {
    const { identity } = body
    const link = linkOf(identity.node)
    if (!beatOf(identity.node).hear(body)) return
    peers.hear(body)
    if (link.isRemote && link.stream !== null) relays.hear(identity.node, body.relay ?? null)
    if (body.gateway) gateways.set(identity.node, body.gateway)
    const hasAcked = body.meshPosition !== link.ackedMeshPosition
    link.ackedMeshPosition = body.meshPosition
    link.ackedPosition = body.position
    link.latest = body
    tellTasks(body)
    if (reported.has(identity.node) || reported.size < USAGE_NODES_MAX)
      reported.set(identity.node, { tasks: body.tasks, atMs: performance.now() })
    if (hasAcked) pushSoon()
    if (body.faults.length > 0) hooks.onFaults(identity.node, body.faults)
    // One report of a node at a time: the newest waiting one stands for those before it.
    if (link.isReporting) return
    link.isReporting = true
    try {
      while (link.latest) {
        const latest: NodeReport = link.latest
        link.latest = null
        await conclude(latest)
      }
    } finally {
      link.isReporting = false
    }
  }

  const conclude = async (body: NodeReport): Promise<void> => {
    const { node, bootId } = body.identity
    const actor = `agent:${node}`
    const identity = JSON.stringify(body.identity)
    const link = linkOf(node)
    if (link.joined !== identity) {
      await host.run(nodeJoin, { identity: body.identity }, actor)
      link.joined = identity
    }
    const conditions = JSON.stringify(body.conditions ?? {})
    if (link.conditions !== conditions) {
      await host.run(nodeConditions, { node, conditions: body.conditions ?? {} }, actor)
      link.conditions = conditions
    }
    const profile = JSON.stringify(body.profile ?? null)
    if (body.profile !== undefined && link.profile !== profile) {
      await host.run(profileReport, { node, ...body.profile }, actor)
      link.profile = profile
    }
    const changed = reportChanges(host.db, body)
    // If the state changes from here on, also by this very report, it is looked at once more.
    const beat = beatOf(node)
    beat.concluded = body.hash ?? null
    if (changed.length === 0) return
    for (const span of startSpans(host.db, changed)) host.telemetry('muster_traces', span)
    try {
      await host.run(tasksReport, { node, bootId, instance: body.instance, seq: body.seq, tasks: changed }, actor)
    } catch (error) {
      beat.concluded = null
      throw error
    }
  }

  const send = (link: Link, message: FromServer): void => {
    link.stream?.write(`${JSON.stringify(message)}\n`)
  }

  const ping = (): void => {
    const message: NodePing = { kind: 'ping', at: host.now(), number: relays.nextPing(), go: hooks.go() }
    const line = `${JSON.stringify(message)}\n`
    for (const link of links.values()) link.stream?.write(line)
    asksLeft = ASKED_MAX
    const old = performance.now() - USAGE_MS
    for (const [node, { tasks, atMs }] of reported) if (atMs < old && tasks.length > 0) askReport(node)
    peers.round()
    relays.round()
  }

  /** An agent of another machine speaks for the node of its certificate, and nobody else does. */
  const assertSpeaker = (actor: string, node: string): void => {
    const speaker = /^agent:(.+)$/.exec(actor)?.[1] ?? null
    if (speaker !== null && speaker !== node) throw refuse('NOT_PERMITTED', `the agent of ${speaker} does not speak for ${node}`)
    if (speaker === null && nodeKeyRow(host.db, node) !== undefined)
      throw refuse('TW_NODE_CLAIMED', `an agent of another machine is the node ${node}`, { hint: 'Give this one another name.' })
  }

  return {
    beats,
    looks: peers.looks,
    gateways,
    usage: (node, task) => reported.get(node)?.tasks.find(({ id }) => id === task),
    servers,
    isRemote: (node) => nodeKeyRow(host.db, node) !== undefined,
    dial: (node, ticket) => {
      const link = links.get(node)
      if (link === undefined || link.stream === null) return false
      send(link, { kind: 'dial', ticket })
      return true
    },
    hooks,
    refresh,
    routes: (app) => {
      app.get<{ Querystring: { node?: string; boot?: string; instance?: string } }>('/v1/agent/stream', (request, reply) => {
        const { node, boot = '', instance } = request.query
        if (!node) throw refuse('USAGE', 'which node?')
        const { actor } = callerOf(request)
        assertSpeaker(actor, node)
        const beat = beatOf(node)
        beat.connect(node, { bootId: boot, instance: Number(instance ?? 0) })
        reply.hijack()
        const link = linkOf(node)
        link.stream?.destroy()
        relays.gone(node)
        link.stream = reply.raw
        link.isRemote = actor === `agent:${node}`
        link.sentOrders = ''
        reply.raw.writeHead(200, { 'content-type': 'application/x-ndjson' })
        reply.raw.flushHeaders()
        reply.raw.once('close', () => {
          if (link.stream !== reply.raw) return
          link.stream = null
          relays.gone(node)
          beat.disconnect()
          onBeat()
        })
        touched?.add(node)
        pushSoon()
      })
      app.post('/v1/agent/report', async (request) => {
        const body = request.body as NodeReport
        assertSpeaker(callerOf(request).actor, body.identity.node)
        const via = request.headers[VIA_HEADER]
        if (typeof via === 'string' && /^[0-9a-f]{1,16}$/.test(via)) servers.set(body.identity.node, BigInt(`0x${via}`))
        else servers.delete(body.identity.node)
        await report(body)
        return { ok: true }
      })
      app.addContentTypeParser(BEATS_TYPE, (_request, payload, done) => done(null, payload))
      app.post('/v1/agent/beats', async (request, reply) => {
        const { actor } = callerOf(request)
        reply.hijack()
        reply.raw.writeHead(200)
        reply.raw.flushHeaders()
        beating.set(reply.raw, actor)
        const taker: BeatTaker = {
          ...{ beatOf, speaker: actor.replace(/^agent:/, ''), onNews: askReport },
          assertMay: (node) => assertSpeaker(actor, node),
          // Its key is that of one stream, so of one life.
          ageOf: (life, beat) => (beats.get(life.node)?.isHeldBy(life) === true ? relays.ageOf(life.node, beat) : null),
        }
        try {
          const trouble = await takeBeats(request.raw, taker)
          if (trouble !== null) host.log.warn('beats are taken no longer', { actor, reason: trouble })
        } finally {
          beating.delete(reply.raw)
          reply.raw.destroy()
        }
      })
    },
    start: () => {
      unlisten = host.onEntries(follow)
      tokens.onReady(refresh)
      pinger = setInterval(ping, PING_MS)
      refresh()
    },
    stop: () => {
      unlisten?.()
      if (pinger) clearInterval(pinger)
      if (stopTimer) clearTimeout(stopTimer)
      if (gateTimer) clearTimeout(gateTimer)
      if (refreshTimer) clearImmediate(refreshTimer)
      for (const link of links.values()) link.stream?.destroy()
      for (const connection of beating.keys()) connection.destroy()
    },
  }
}
