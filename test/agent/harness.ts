import { spawn, type ChildProcess } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer, request, type Server, type ServerResponse } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { BeatReader } from '../../src/core/contracts/beats.ts'
import type { ContainerSpec, DesiredTask, FromServer, NodeReport, Reign, TaskReport } from '../../src/core/contracts/node.ts'
import type { FaultOrder } from '../../src/core/contracts/fault.ts'
import { cleanupNode } from '../../src/agent/cleanup.ts'
import { statePaths, type AgentPaths } from '../../src/platform/paths.ts'
import { program } from '../support/program.ts'

export const isRoot = process.getuid?.() === 0

/** A control plane that only repeats its orders and keeps the last report: a real HTTP server on a real socket. */
export class FakeServer {
  readonly socket: string
  readonly artifacts = new Map<string, Buffer>()
  /** what is answered for an artifact that is not there */
  missing = 404
  report: NodeReport | null = null
  reports = 0
  /** of each beat, the hash it stood for */
  beats: number[] = []
  /** whether it knows beats, as servers of today do */
  takesBeats = false
  tasks: DesiredTask[] = []
  faults: FaultOrder[] = []
  go: { run: string; validMs: number }[] = []
  /** undefined: as a server of before has none */
  reign: Reign | undefined
  /** streams that were opened so far */
  opened = 0
  #position = 0
  #streams = new Set<ServerResponse>()
  #server: Server | null = null
  #pings: NodeJS.Timeout | undefined

  constructor(socket: string) {
    this.socket = socket
  }

  async start(): Promise<void> {
    rmSync(this.socket, { force: true })
    this.#server = createServer((incoming, response) => {
      const url = new URL(incoming.url ?? '', 'http://server')
      if (url.pathname === '/v1/agent/stream') {
        response.writeHead(200, { 'content-type': 'application/x-ndjson' })
        this.#streams.add(response)
        this.opened += 1
        response.once('close', () => this.#streams.delete(response))
        return this.#send([response])
      }
      if (url.pathname === '/v1/agent/beats') {
        response.writeHead(this.takesBeats ? 200 : 404).flushHeaders()
        if (!this.takesBeats) return void response.end()
        const reader = new BeatReader({ life: () => {}, beat: ({ hash }) => void this.beats.push(hash) })
        return void incoming.on('data', (piece: Uint8Array) => reader.read(piece)).on('error', () => {})
      }
      const artifact = /^\/v1\/artifacts\/sha256\/([0-9a-f]{64})$/.exec(url.pathname)
      if (artifact) {
        const bytes = this.artifacts.get(artifact[1] ?? '')
        response.writeHead(bytes === undefined ? this.missing : 200)
        return void response.end(bytes)
      }
      let body = ''
      incoming.setEncoding('utf8')
      incoming.on('data', (text: string) => (body += text))
      incoming.on('end', () => {
        this.report = JSON.parse(body) as NodeReport
        this.reports += 1
        response.end('{}')
      })
    })
    await new Promise<void>((resolve) => this.#server?.listen(this.socket, resolve))
    this.#pings = setInterval(() => this.#write({ kind: 'ping', at: Date.now(), go: this.go }), 300)
  }

  stop(): void {
    clearInterval(this.#pings)
    for (const stream of this.#streams) stream.destroy()
    this.#server?.closeAllConnections()
    this.#server?.close()
  }

  order(tasks: DesiredTask[], faults: FaultOrder[] = []): void {
    this.tasks = tasks
    this.faults = faults
    this.#send([...this.#streams])
  }

  #send(to: ServerResponse[]): void {
    const orders: FromServer = {
      kind: 'orders',
      ...(this.reign === undefined ? {} : { reign: this.reign }),
      position: (this.#position += 1),
      tasks: this.tasks,
      mesh: { position: this.#position, services: [] },
      faults: this.faults,
    }
    for (const stream of to) stream.write(`${JSON.stringify(orders)}\n`)
  }

  askReport(): void {
    this.#write({ kind: 'report' })
  }

  #write(message: FromServer): void {
    for (const stream of this.#streams) stream.write(`${JSON.stringify(message)}\n`)
  }

  task(id: number): TaskReport | undefined {
    return this.report?.tasks.find((task) => task.id === id)
  }
}

/** One node under test: state folder, fake server, agent process. `close` ends and removes all of it. */
export class TestNode {
  readonly root = mkdtempSync(join(tmpdir(), 'mu-agent-'))
  readonly server = new FakeServer(join(this.root, 'muster.sock'))
  readonly paths: AgentPaths = statePaths('test', { MUSTER_STATE_DIR: this.root }).agent('n1')
  agent: ChildProcess | null = null
  readonly #extra: string[]

  constructor(extra: string[] = [], prepare: (root: string) => unknown = () => null) {
    prepare(this.root)
    this.#extra = extra
  }

  async start(): Promise<this> {
    await this.server.start()
    this.startAgent()
    return this
  }

  startAgent(stderr: 'inherit' | 'ignore' = 'inherit'): void {
    const [node, file] = program('agent/main')
    this.agent = spawn(
      node,
      [
        file,
        '--node',
        'n1',
        '--state-dir',
        this.root,
        '--server',
        this.server.socket,
        '--cpu',
        '2000',
        '--memory',
        '4GiB',
        '--gateway-port',
        '0',
        ...this.#extra,
      ],
      { stdio: ['ignore', 'ignore', stderr] },
    )
  }

  /** kill -9, as a crash would. */
  async crash(): Promise<void> {
    await this.end('SIGKILL')
  }

  async end(signal: NodeJS.Signals): Promise<void> {
    const { agent } = this
    if (agent === null || agent.exitCode !== null || agent.signalCode !== null) return
    const ended = new Promise((resolve) => agent.once('exit', resolve))
    agent.kill(signal)
    await ended
  }

  async close(): Promise<void> {
    await this.crash()
    this.server.stop()
    await cleanupNode(this.paths, { stateDir: this.root, node: 'n1' }, 0)
    rmSync(this.root, { recursive: true, force: true })
  }

  log(): string {
    return readFileSync(this.paths.log, 'utf8')
  }

  /** Waits until a task's report fits; fails with the last one seen. */
  async until(id: number, fits: (task: TaskReport) => boolean, withinMs = 20_000): Promise<TaskReport> {
    const giveUpAt = Date.now() + withinMs
    for (;;) {
      const task = this.server.task(id)
      if (task !== undefined && fits(task)) return task
      if (Date.now() > giveUpAt) throw new Error(`task ${id} did not become what was waited for: ${JSON.stringify(task)}\n${this.log()}`)
      await sleep(15)
    }
  }

  /** One request to the agent's control socket. */
  ask(method: string, path: string): Promise<{ status: number; text: string }> {
    return new Promise((resolve, reject) => {
      const outgoing = request({ socketPath: this.paths.socket, method, path, agent: false }, (response) => {
        let text = ''
        response.setEncoding('utf8')
        response.on('data', (part: string) => (text += part))
        response.once('end', () => resolve({ status: response.statusCode ?? 0, text }))
      })
      outgoing.once('error', reject)
      outgoing.end()
    })
  }
}

export function spec(command: string[], more: Partial<ContainerSpec> = {}): ContainerSpec {
  return {
    command,
    env: {},
    cpuMilli: 100,
    memoryBytes: 64 * 1024 ** 2,
    memoryMaxBytes: 256 * 1024 ** 2,
    ports: {},
    diskBytes: 0,
    gpu: null,
    readiness: null,
    liveness: null,
    stop: { signal: 'SIGTERM', timeoutMs: 3000 },
    restart: { attempts: 5, intervalMs: 60_000, delayMs: 50, mode: 'fail' },
    isolation: 'auto',
    ...more,
  }
}

export function desired(id: number, container: ContainerSpec, more: Partial<DesiredTask> = {}): DesiredTask {
  return {
    task: `job/group[${id}]`,
    id,
    job: 'job',
    group: 'group',
    version: 1,
    incarnation: 1,
    release: null,
    service: null,
    spec: container,
    want: 'run',
    ...more,
  }
}

export const sh = (script: string, more: Partial<ContainerSpec> = {}): ContainerSpec => spec(['sh', '-c', script], more)

/** Whether a pid is a process that is not a zombie. */
export function lives(pid: number): boolean {
  try {
    return !/^\d+ \(.*\) [ZX] /s.test(readFileSync(`/proc/${pid}/stat`, 'latin1'))
  } catch {
    return false
  }
}
