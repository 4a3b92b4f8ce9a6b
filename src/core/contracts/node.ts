import type { FaultOrder } from './fault.ts'
import type { MeshSnapshot } from './mesh.ts'
import type { Cause } from '../kernel/trace.ts'

/**
 * What server and agent say to each other. The agent keeps one NDJSON stream open (`GET /v1/agent/stream?node=…&boot=…&instance=…`),
 * on which the server sends whole desired states, and posts reports (`POST /v1/agent/report`), which are also its
 * heartbeat. While a report would say nothing new, a beat with its hash stands for it (`beats.ts`), and the server asks for the report when it
 * knows another. Level-triggered both ways: any message may be lost or doubled.
 */

export interface Probe {
  kind: 'http' | 'tcp' | 'exec'
  /** http: path; exec: argv is in `command` */
  path?: string
  /** name of the task's port; http and tcp */
  port?: string
  command?: string[]
  intervalMs: number
  timeoutMs: number
}

/** One process a task runs, everything resolved by core; `{{port.NAME}}` in command and env is filled in by the agent. */
export interface ContainerSpec {
  command: string[]
  env: Record<string, string>
  /** working directory: absolute; absent: the artifact's root, or the task's empty work folder */
  cwd?: string
  /** `sha256:…` of a tarball in the blob store, unpacked as the task's root */
  artifact?: string
  /** user to run as; root agents only */
  user?: string
  /** thousandths of a core */
  cpuMilli: number
  memoryBytes: number
  /** hard ceiling, ≥ memoryBytes */
  memoryMaxBytes: number
  /** port name → fixed number, or 0 for one of the agent's choosing */
  ports: Record<string, number>
  readiness: Probe | null
  liveness: Probe | null
  stop: { signal: string; timeoutMs: number }
  /** `onSuccess` complete: exit 0 is the end (batch); else it is a restart like any other end (service) */
  restart: { attempts: number; intervalMs: number; delayMs: number; mode: 'fail' | 'delay'; onSuccess?: 'restart' | 'complete' }
  isolation: 'auto' | 'plain' | 'namespaces'
  /** disk the task is counted with; 0: none */
  diskBytes: number
  /** `shareMilli` thousandths of each of `count` GPUs (1000: whole), of one of `models` (none: of any) */
  gpu: { count: number; shareMilli: number; models: string[] } | null
}

/** One task the server wants on a node. */
export interface DesiredTask {
  /** `web/api[3]` */
  task: string
  /** stable row id, unique for ever: names folders and cgroups */
  id: number
  job: string
  group: string
  /** job version */
  version: number
  incarnation: number
  /** release name or null; goes into the environment as MUSTER_RELEASE */
  release: string | null
  service: string | null
  spec: ContainerSpec
  /** the entry that placed it, in the trace of what it was placed for; absent: nobody traced that */
  cause?: Cause
  /** its application pulls what is planned for it, and so needs to be let in */
  pulls?: true
  /** how it is let in: its own token, and where */
  access?: { token: string; api: string }
  /** the agent stops it by itself when no server has heard it for so long */
  stopAfterMs?: number
  /** the GPUs it was placed on, by their place among those of the node, and how many thousandths of each are its own */
  devices?: { indexes: number[]; shareMilli: number }
  /** run, or stop (out of service everywhere already: send the signal now) */
  want: 'run' | 'stop'
}

export type TaskState = 'starting' | 'running' | 'stopping' | 'stopped' | 'complete' | 'failed'
export type TaskHealth = 'starting' | 'healthy' | 'unhealthy' | 'none'

/** What the agent knows of one task. */
export interface TaskReport {
  id: number
  task: string
  incarnation: number
  state: TaskState
  health: TaskHealth
  pid: number | null
  /** port name → number on the node's address */
  ports: Record<string, number>
  /** `exit N`, `signal S`, `oom`, `unhealthy`, `stop-timeout`, `artifact`, `port-taken`, `cut-off`, `unknown`; '' while running */
  reason: string
  restarts: number
  startedAt: number | null
  cpuMilli?: number
  memoryBytes?: number
}

/** Who decides: one leader of one log. */
export interface Reign {
  /** 16 hex digits: of the servers whose log it is; a restored one is another */
  cluster: string
  /** round of its leader's ballot: the same or higher with every leader of that log */
  term: number
}

/** From server to agent: everything the node should be, at a log position. */
export interface NodeOrders {
  kind: 'orders'
  /** absent: an older server, whose orders are always obeyed */
  reign?: Reign
  position: number
  tasks: DesiredTask[]
  mesh: MeshSnapshot
  faults: FaultOrder[]
  /** `HOST:PORT` of every server that answers agents of other machines; for these alone */
  servers?: string[]
}

/** Sent each second while the server is in charge: renews leases of faults. */
export interface NodePing {
  kind: 'ping'
  at: number
  /** counts the pings of this server from 1; an agent's beats over another say which one it heard last */
  number?: number
  /** runs whose faults may go on, each valid `goTokenMs` from now */
  go: { run: string; validMs: number }[]
}

/** Come to the server once more with this ticket, and answer there what it asks. To agents of other machines. */
export interface NodeDial {
  kind: 'dial'
  ticket: string
}

/** Try whether the agent of another node, which is silent, is reached from here; the answer goes with the next report. */
export interface NodeLook {
  kind: 'look'
  node: string
  /** `HOST:PORT`, as it told itself */
  address: string
}

/** Send your whole report: the server does not know what your beat stands for, or wants to know what tasks use. */
export interface NodeAsk {
  kind: 'report'
}

/**
 * Beat over this agent from now on (`beats.ts`), or straight to the server again (null). To agents of other machines that said where they take
 * beats themselves, in a large fleet. A new stream begins without one.
 */
export interface NodeVia {
  kind: 'via'
  relay: {
    node: string
    /** `HOST:PORT`, as it told itself */
    address: string
    /** what beats are sealed with, base64: of this stream, and of no use after it */
    key: string
  } | null
}

export type FromServer = NodeOrders | NodePing | NodeDial | NodeLook | NodeAsk | NodeVia

export interface NodeIdentity {
  node: string
  /** /proc/sys/kernel/random/boot_id, and the agent's own instance id */
  bootId: string
  pid: number
  region: string
  zone: string
  rack: string
  address: string
  cpuMilli: number
  memoryBytes: number
  /** disk that tasks may reserve; absent: none */
  diskBytes?: number | undefined
  /** its GPUs in the order of their indexes, those of one model that lie side by side together; absent: none */
  gpus?: Gpus[] | undefined
  attributes: Record<string, string>
}

/** GPUs of one model that lie side by side. */
export interface Gpus {
  model: string
  count: number
}

/** GPUs of a node that are counted: more would not fit the mask of a placement. */
export const GPUS_MAX = 16

/** From agent to server: heartbeat and whole state; at once on a change, and each second where no beats are taken. */
export interface NodeReport {
  identity: NodeIdentity
  /** which life of the agent speaks: ticks between the machine's boot and its start, so a later one is higher */
  instance: number
  /** counts this life's reports and beats from 1: an older or doubled one says nothing new */
  seq: number
  /** of all that may be news in it, so without `seq`, looks and what tasks use; below 2^48. Absent: this agent sends no beats */
  hash?: number
  /** position of the orders this node's agent acts on */
  position: number
  /** position of the mesh snapshot its proxy has applied; 0: no proxy */
  meshPosition: number
  /** address people and tasks reach the mesh by, `127.0.0.1:15001`, or null */
  gateway: string | null
  tasks: TaskReport[]
  faults: FaultReport[]
  /** `HOST:PORT` where its peers may try whether it lives */
  reach?: string | null
  /** `HOST:PORT` where it takes beats of other agents; absent or null: nowhere, and it beats over no other itself */
  relay?: string | null
  /** what is wrong with the machine: condition → what was measured */
  conditions?: Partial<Record<'disk-full' | 'inodes-full' | 'read-only' | 'clock-off' | 'memory-pressure', string>>
  /** of its profile: how the machine differs from it now, setting → what it is instead; absent: it is in none */
  profile?: { switch: number; differs: Record<string, string> } | undefined
  /** what came of the looks it was asked for */
  looks?: { node: string; isReached: boolean }[]
}

export interface FaultReport {
  id: string
  state: 'armed' | 'reverted' | 'failed' | 'leaked'
  /** how often it took effect */
  effect: number
  message: string
}
