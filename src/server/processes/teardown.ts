import { existsSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { cleanupNode } from '../../agent/cleanup.ts'
import type { StatePaths } from '../../platform/paths.ts'
import { isAlive, readProcessId } from '../../platform/process.ts'
import { leafPidFile } from '../scuba/process.ts'
import { strayProcesses } from './strays.ts'
import { keeperFile } from './remote-agent.ts'
import { endProcess } from '../../platform/supervisor.ts'

const SERVER_GRACE_MS = 8000
const AGENT_GRACE_MS = 2000
/** It ends its agent itself. */
const KEEPER_GRACE_MS = 8000
const LEAF_GRACE_MS = 5000

/**
 * Ends everything a context runs: server first, so that it starts nothing again, then agents with their tasks, proxies,
 * holders, cgroups and mounts, then the scuba leaf. Works the same whatever of it was killed before. The state stays.
 */
export async function tearDown(paths: StatePaths, onStep: (what: string) => void = () => {}): Promise<void> {
  const server = readProcessId(paths.serverJson)
  if (server && isAlive(server)) {
    onStep(`server (pid ${server.pid})`)
    await endProcess(server, SERVER_GRACE_MS)
  }
  rmSync(paths.serverJson, { force: true })
  await Promise.all(
    nodesOf(paths).map((node) => {
      onStep(`node ${node}`)
      return endNode(paths, node)
    }),
  )
  const leaf = readProcessId(leafPidFile(paths))
  if (leaf && isAlive(leaf)) {
    onStep(`scuba leaf (pid ${leaf.pid})`)
    await endProcess(leaf, LEAF_GRACE_MS)
  }
  // A process that was just being started when its starter was killed: nobody has written its pid down.
  for (const stray of strayProcesses(paths.root)) await endProcess(stray, LEAF_GRACE_MS)
  for (const socket of [paths.socket, paths.scubaSocket]) rmSync(socket, { force: true })
}

/**
 * Before a start: ends what a killed fleet left of nodes that are no longer wanted. Agents and tasks of the wanted ones
 * stay, since they are taken over. A dead server's socket is the next server's to remove, which holds the lock.
 */
export async function clearLeftovers(paths: StatePaths, wanted: readonly string[]): Promise<void> {
  await Promise.all(
    nodesOf(paths)
      .filter((node) => !wanted.includes(node))
      .map((node) => endNode(paths, node)),
  )
}

async function endNode(paths: StatePaths, node: string): Promise<void> {
  const at = paths.agent(node)
  const pidFile = join(at.root, 'agent.pid')
  const keeper = readProcessId(keeperFile(at.root))
  if (keeper && isAlive(keeper)) await endProcess(keeper, KEEPER_GRACE_MS)
  const agent = readProcessId(pidFile)
  if (agent && isAlive(agent)) await endProcess(agent, AGENT_GRACE_MS)
  await cleanupNode(at)
  rmSync(pidFile, { force: true })
  rmSync(keeperFile(at.root), { force: true })
}

function nodesOf(paths: StatePaths): string[] {
  return existsSync(paths.agents) ? readdirSync(paths.agents) : []
}
