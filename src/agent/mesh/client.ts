import { spawn } from 'node:child_process'
import { closeSync, mkdirSync, openSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { MeshSnapshot } from '../../core/contracts/mesh.ts'
import { isRefusal } from '../../core/kernel/errors.ts'
import type { AgentPaths } from '../../platform/paths.ts'
import { identify, isAlive, readProcessId, signalProcess, writeProcessId, type ProcessId } from '../../platform/process.ts'
import { entryPoint } from '../../platform/spawn.ts'
import { ControlLink } from './control-link.ts'
import type { MeshStats } from './stats.ts'

export type { MeshStats } from './stats.ts'

const START_TIMEOUT_MS = 10_000
const POLL_MS = 25
const RESTART_MS = 100
const RESTART_MAX_MS = 900
const STOP_TIMEOUT_MS = 15_000
/** every request is answered at once, but on a machine that is short of everything */
const ANSWER_TIMEOUT_MS = 10_000
/** how long a proxy that was started a moment ago may take until it listens */
const STARTING_MS = 3000

/** The node's proxy, as its agent sees it. */
export interface MeshProxy {
  /** Gives the proxy a whole snapshot; resolves with the position it has applied, also across a restart of the proxy. */
  configure(snapshot: MeshSnapshot): Promise<number>
  /** `127.0.0.1:15001`, or null while the proxy is being restarted for the first time */
  readonly gateway: string | null
  /** service → its stable local port on this node, as of the last `configure` or `stats` */
  readonly servicePorts: Readonly<Record<string, number>>
  /** process id of the proxy that is connected now, or null */
  readonly pid: number | null
  stats(): Promise<MeshStats>
  /** Lets the proxy finish what runs, and end. */
  stop(): Promise<void>
  /** Leaves the proxy running, and its restarts to the next agent. */
  detach(): void
  /** Called each time the proxy died and is about to be restarted. */
  onExit: (() => void) | null
}

export interface ProxyWanted {
  node: string
  region: string
  paths: AgentPaths
  /** Unix socket of the node's scuba leaf */
  eventsSocket: string
  /** where to look for a free gateway port first; 0: any. Default 15001 */
  wantedGatewayPort?: number
  /** a proxy that does not answer for so long hangs, and is replaced; default 10 s */
  answerTimeoutMs?: number
}

/** Connects to the node's living proxy, or starts one that outlives this process; restarts it whenever it dies. */
export async function ensureProxy(wanted: ProxyWanted): Promise<MeshProxy> {
  const proxy = new SupervisedProxy(wanted)
  await proxy.open()
  return proxy
}

class SupervisedProxy implements MeshProxy {
  onExit: (() => void) | null = null
  readonly #wanted: ProxyWanted
  #link: ControlLink | null = null
  #gateway: string | null = null
  #servicePorts: Record<string, number> = {}
  #pid: number | null = null
  #latest: MeshSnapshot | null = null
  #isStopped = false
  #restartMs = RESTART_MS

  constructor(wanted: ProxyWanted) {
    this.#wanted = wanted
  }

  get gateway(): string | null {
    return this.#gateway
  }
  get servicePorts(): Readonly<Record<string, number>> {
    return this.#servicePorts
  }
  get pid(): number | null {
    return this.#link === null ? null : this.#pid
  }

  /** A proxy that dies or hangs while we look at it is not the end: the next try finds or starts another. */
  async open(): Promise<void> {
    const untilMs = Date.now() + this.#answerTimeoutMs() + START_TIMEOUT_MS
    for (;;) {
      try {
        await this.#openOnce()
        return
      } catch (error) {
        if (this.#isStopped || Date.now() > untilMs) throw error
        await sleep(POLL_MS)
      }
    }
  }

  #answerTimeoutMs(): number {
    return this.#wanted.answerTimeoutMs ?? ANSWER_TIMEOUT_MS
  }

  async #openOnce(): Promise<void> {
    const { proxySocket } = this.#wanted.paths
    let link = await ControlLink.open(proxySocket, this.#answerTimeoutMs())
    if (link === null) {
      await this.#endUnreachable()
      this.#spawn()
      const untilMs = Date.now() + START_TIMEOUT_MS
      while (link === null) {
        if (Date.now() > untilMs)
          throw new Error(`the mesh proxy did not start within ${START_TIMEOUT_MS} ms; see ${this.#wanted.paths.proxyLog}`)
        await sleep(POLL_MS)
        link = await ControlLink.open(proxySocket, this.#answerTimeoutMs())
      }
    }
    if (this.#isStopped) {
      link.close()
      return
    }
    this.#link = link
    try {
      await this.stats()
    } catch (error) {
      // The kernel still took the connection of a proxy that was just dying, or that hangs: such a one must go.
      this.#link = null
      link.close()
      const hung = readProcessId(this.#pidFile())
      if (hung !== null && isRefusal(error) && error.code === 'TIMEOUT') signalProcess(hung, 'SIGKILL')
      throw error
    }
    this.#restartMs = RESTART_MS
    link.onClose = () => this.#onLinkClosed()
    if (!link.isOpen) this.#onLinkClosed()
  }

  #onLinkClosed(): void {
    this.#link = null
    if (this.#isStopped) return
    this.onExit?.()
    void this.#reopen()
  }

  async #reopen(): Promise<void> {
    while (!this.#isStopped) {
      try {
        await this.open()
        if (this.#latest !== null) await this.configure(this.#latest)
        return
      } catch {
        // It died again, or does not start: the next attempt comes soon, for as long as the agent lives.
        await sleep(this.#restartMs)
        this.#restartMs = Math.min(this.#restartMs * 2, RESTART_MAX_MS)
      }
    }
  }

  async configure(snapshot: MeshSnapshot): Promise<number> {
    this.#latest = snapshot
    for (;;) {
      const link = this.#link
      if (link === null) {
        if (this.#isStopped) throw new Error('the mesh proxy was stopped')
        await sleep(POLL_MS)
        continue
      }
      try {
        const answer = await link.ask({ configure: snapshot })
        if ('error' in answer) throw new Error(`the mesh proxy refused the snapshot: ${answer.error}`)
        if (!('applied' in answer)) throw new Error('the mesh proxy answered something else')
        await this.stats()
        return answer.applied
      } catch (error) {
        // Only a lost link is worth another try; a newer snapshot has taken over then.
        if (link.isOpen) throw error
        if (this.#latest !== snapshot) return snapshot.position
      }
    }
  }

  async stats(): Promise<MeshStats> {
    const link = this.#link
    if (link === null) throw new Error('the mesh proxy is being restarted')
    const answer = await link.ask({ stats: true })
    if (!('stats' in answer)) throw new Error('the mesh proxy gave no figures')
    this.#gateway = answer.stats.gateway
    this.#servicePorts = answer.stats.servicePorts
    this.#pid = answer.stats.pid
    return answer.stats
  }

  async stop(): Promise<void> {
    this.#isStopped = true
    const link = this.#link
    const running = readProcessId(this.#pidFile())
    if (link !== null) await link.ask({ stop: true }).catch(() => null)
    if (running !== null) await endedWithin(running, STOP_TIMEOUT_MS)
    link?.close()
  }

  detach(): void {
    this.#isStopped = true
    this.#link?.close()
  }

  #pidFile(): string {
    return join(this.#wanted.paths.root, 'proxy.json')
  }

  /** A proxy that lives but does not answer would hold the ports. */
  async #endUnreachable(): Promise<void> {
    const old = readProcessId(this.#pidFile())
    if (old === null || !isAlive(old)) return
    // It may have been started a moment ago, by an agent that died since.
    const link = await ControlLink.openWithin(this.#wanted.paths.proxySocket, STARTING_MS, this.#answerTimeoutMs())
    if (link !== null) link.close()
    else signalProcess(old, 'SIGKILL')
  }

  /** In a session of its own, so that what ends the agent, or its terminal, does not end it. */
  #spawn(): void {
    const { node, region, paths, eventsSocket, wantedGatewayPort } = this.#wanted
    mkdirSync(paths.root, { recursive: true, mode: 0o700 })
    const [command, file] = entryPoint('agent/mesh/proxy-main')
    const output = openSync(paths.proxyLog, 'a', 0o600)
    try {
      const options = {
        node,
        region,
        control: paths.proxySocket,
        state: join(paths.root, 'mesh.json'),
        'gateway-port': String(wantedGatewayPort ?? 15_001),
        'events-socket': eventsSocket,
        log: paths.proxyLog,
      }
      const child = spawn(command, [file, ...Object.entries(options).map(([name, value]) => `--${name}=${value}`)], {
        detached: true,
        cwd: '/',
        stdio: ['ignore', output, output],
      })
      // A program that cannot be started shows as a control socket that never opens.
      child.on('error', () => {})
      child.unref()
      if (child.pid === undefined) return
      const id = identify(child.pid)
      if (id !== null) writeProcessId(this.#pidFile(), id)
    } finally {
      closeSync(output)
    }
  }
}

/** Waits for a process to end; one that takes longer is killed. */
async function endedWithin(proxy: ProcessId, timeoutMs: number): Promise<void> {
  const untilMs = Date.now() + timeoutMs
  while (isAlive(proxy)) {
    if (Date.now() > untilMs) {
      signalProcess(proxy, 'SIGKILL')
      return
    }
    await sleep(POLL_MS)
  }
}
