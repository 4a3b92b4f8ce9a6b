import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { basename, dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { AgentPaths } from '../platform/paths.ts'
import { isClaimed } from './claim.ts'
import { cgroupParent, findCgroups, leftCgroups, removeCgroupParents, TaskCgroup } from './exec/cgroups.ts'
import { TaskFolder } from './exec/folder.ts'
import { pause } from './faults/pause.ts'
import { signalName } from './exec/signals.ts'
import { FaultLedger } from './faults/ledger.ts'
import { isAlive, readProcessId, signalProcess, type ProcessId } from '../platform/process.ts'

const GONE_WITHIN_MS = 3000
const GRACE_MS = 1500

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
 * the tasks' own mount namespaces. Logs stay. Does nothing when an agent of the node stays alive.
 * @param where root of the context's state and the node's name; taken from the paths (`ROOT/agents/NODE`) when left out
 * @param graceMs what tasks get between their stop signal and SIGKILL, all of them at the same time
 */
export async function cleanupNode(
  paths: AgentPaths,
  where: { stateDir: string; node: string } = { stateDir: dirname(dirname(paths.root)), node: basename(paths.root) },
  graceMs = GRACE_MS,
): Promise<Cleaned> {
  const cleaned: Cleaned = { tasks: 0, faults: 0, cgroups: 0, proxy: false }
  if (await staysClaimed(paths.root)) return cleaned
  const ledger = new FaultLedgerReader(paths.faults)
  for (const entry of ledger.standing()) {
    if (entry.fault === 'legion.pause') await pause.undo(entry.target)
    ledger.remove(entry.id)
    cleaned.faults += 1
  }
  cleaned.tasks = await endTasks(paths.tasks, graceMs)
  cleaned.proxy = await stopProxy(paths)
  cleaned.cgroups = removeCgroups(cgroupParent(where.stateDir, where.node))
  rmSync(paths.journal, { force: true })
  for (const socket of [paths.socket, paths.apiSocket]) rmSync(socket, { force: true })
  return cleaned
}

/** A killed process gives its claim up a moment after its pid is gone, when its last thread has ended. */
async function staysClaimed(folder: string): Promise<boolean> {
  const giveUpAt = performance.now() + GONE_WITHIN_MS
  while (await isClaimed(folder)) {
    if (performance.now() > giveUpAt) return true
    await sleep(20)
  }
  return false
}

/** Every task gets its stop signal and a moment to end by itself, all at the same time; then SIGKILL. */
async function endTasks(tasks: string, graceMs: number): Promise<number> {
  if (!existsSync(tasks)) return 0
  const ended = await Promise.all(readdirSync(tasks).map((name) => endTask(new TaskFolder(tasks, Number(name)), graceMs)))
  return ended.filter(Boolean).length
}

async function endTask(folder: TaskFolder, graceMs: number): Promise<boolean> {
  const processes = [folder.process(), folder.shim()].filter((id) => id !== null).filter(isAlive)
  if (processes.length === 0) return false
  const id = folder.process()
  // The command, not its shim: that one then writes the exit code and ends by itself.
  if (id !== null && folder.exitCode() === null) {
    if (signalProcess(id, stopSignal(folder), 'process')) await gone(processes, graceMs)
    if (processes.some(isAlive)) signalProcess(id, 'SIGKILL', 'group')
    await gone(processes, GONE_WITHIN_MS / 3)
  }
  for (const rest of processes.filter(isAlive)) signalProcess(rest, 'SIGKILL', 'group')
  await gone(processes, GONE_WITHIN_MS)
  return true
}

function stopSignal(folder: TaskFolder): NodeJS.Signals {
  try {
    const { spec } = JSON.parse(readFileSync(join(folder.root, 'spec.json'), 'utf8')) as { spec: { stop: { signal: string } } }
    return signalName(spec.stop.signal)
  } catch {
    return 'SIGTERM' // torn by a crash or a full disk
  }
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
  const id = readProcessId(join(paths.root, 'proxy.json'))
  const wasThere = (id !== null && signalProcess(id, 'SIGKILL', 'process')) || (await askToStop(paths.proxySocket))
  if (id !== null) await gone([id], GONE_WITHIN_MS)
  rmSync(paths.proxySocket, { force: true })
  rmSync(join(paths.root, 'proxy.json'), { force: true })
  return wasThere
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
