import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { basename, dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { AgentPaths } from '../server/paths.ts'
import { cgroupParent, findCgroups, leftCgroups, removeCgroupParents, TaskCgroup } from './exec/cgroups.ts'
import { TaskFolder } from './exec/folder.ts'
import { pause } from './faults/pause.ts'
import { FaultLedger } from './faults/ledger.ts'
import { bootId, isAlive, signalProcess, type ProcessId } from './process.ts'

const GONE_WITHIN_MS = 3000

export interface Cleaned {
  /** processes of tasks that were still running */
  tasks: number
  /** faults that were undone */
  faults: number
  cgroups: number
  /** whether the node's proxy was running */
  proxy: boolean
}

/**
 * Ends and removes everything a node's dead agent left running: faults first, then tasks, then the proxy, cgroups and sockets. Mounts go with
 * the tasks' own mount namespaces. Logs stay. Does nothing when an agent of the node is alive.
 * @param where root of the context's state and the node's name; taken from the paths (`ROOT/agents/NODE`) when left out
 */
export async function cleanupNode(
  paths: AgentPaths,
  where: { stateDir: string; node: string } = { stateDir: dirname(dirname(paths.root)), node: basename(paths.root) },
): Promise<Cleaned> {
  const cleaned: Cleaned = { tasks: 0, faults: 0, cgroups: 0, proxy: false }
  const agent = readAgent(paths)
  if (agent !== null && isAlive(agent)) return cleaned
  const ledger = new FaultLedgerReader(paths.faults)
  for (const entry of ledger.standing()) {
    if (entry.fault === 'legion.pause') await pause.undo(entry.target)
    ledger.remove(entry.id)
    cleaned.faults += 1
  }
  cleaned.tasks = await endTasks(paths.tasks)
  cleaned.proxy = await stopProxy(paths)
  cleaned.cgroups = removeCgroups(cgroupParent(where.stateDir, where.node))
  rmSync(paths.journal, { force: true })
  rmSync(paths.socket, { force: true })
  return cleaned
}

async function endTasks(tasks: string): Promise<number> {
  if (!existsSync(tasks)) return 0
  const folders = readdirSync(tasks).map((name) => new TaskFolder(tasks, Number(name)))
  const left = folders.flatMap((folder) => {
    const processes = [folder.process(), folder.shim()].filter((id) => id !== null).filter(isAlive)
    return processes.length > 0 ? [{ folder, processes }] : []
  })
  for (const { folder, processes } of left) {
    const id = folder.process()
    // The command's group first: its shim then writes the exit code and ends by itself.
    if (id !== null && folder.exitCode() === null) signalProcess(id, 'SIGKILL', 'group')
    await gone(processes, GONE_WITHIN_MS / 3)
    for (const rest of processes.filter(isAlive)) signalProcess(rest, 'SIGKILL', 'group')
    await gone(processes, GONE_WITHIN_MS)
  }
  return left.length
}

async function gone(processes: readonly ProcessId[], withinMs: number): Promise<void> {
  const giveUpAt = performance.now() + withinMs
  while (processes.some(isAlive) && performance.now() < giveUpAt) await sleep(10)
}

function removeCgroups(parent: string): number {
  const mounts = process.getuid?.() === 0 ? findCgroups() : null
  if (mounts === null) return 0
  const ids = leftCgroups(mounts, parent)
  for (const id of ids) {
    const cgroup = new TaskCgroup(mounts, parent, id)
    cgroup.killAll()
    for (let tries = 0; tries < 50 && !cgroup.remove(); tries += 1) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10)
  }
  removeCgroupParents(mounts, parent)
  return ids.length
}

/** Ends the node's proxy: by its pid file, or, should its agent have died before writing one, by its control socket. */
async function stopProxy(paths: AgentPaths): Promise<boolean> {
  const id = readProxy(paths)
  const wasThere = (id !== null && signalProcess(id, 'SIGKILL', 'process')) || (await askToStop(paths.proxySocket))
  if (id !== null) await gone([id], GONE_WITHIN_MS)
  rmSync(paths.proxySocket, { force: true })
  rmSync(join(paths.root, 'proxy.json'), { force: true })
  return wasThere
}

function readProxy(paths: AgentPaths): ProcessId | null {
  try {
    const { pid, startTime } = JSON.parse(readFileSync(join(paths.root, 'proxy.json'), 'utf8')) as { pid: number; startTime: string }
    return { pid, startTime: Number(startTime), bootId: bootId() }
  } catch {
    return null // none, or torn
  }
}

function askToStop(socketPath: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(socketPath, () => socket.write('{"stop":true}\n'))
    socket.setTimeout(GONE_WITHIN_MS, () => socket.destroy())
    socket.once('error', () => resolve(false))
    socket.once('data', () => socket.destroy())
    socket.once('close', (hadError) => resolve(!hadError))
  })
}

function readAgent(paths: AgentPaths): ProcessId | null {
  try {
    return JSON.parse(readFileSync(join(paths.root, 'agent.json'), 'utf8')) as ProcessId
  } catch {
    return null
  }
}

class FaultLedgerReader {
  readonly #ledger: FaultLedger | null

  constructor(root: string) {
    this.#ledger = existsSync(root) ? new FaultLedger(root) : null
  }

  standing(): ReturnType<FaultLedger['read']>['entries'] {
    return this.#ledger?.read().entries.filter((entry) => entry.state !== 'reverted' && entry.state !== 'failed') ?? []
  }

  remove(id: string): void {
    this.#ledger?.remove(id)
  }
}
