import { availableParallelism, totalmem } from 'node:os'
import { join } from 'node:path'
import { refuse } from '../../core/kernel/errors.ts'
import { parseCpu, parseSize } from '../../core/kernel/units.ts'
import { gpuWords, parseGpus } from '../../agent/devices.ts'
import { claimNode } from '../../agent/claim.ts'
import { agentCommand } from '../../agent/installation.ts'
import { agentFiles, joinedServers } from '../../agent/join.ts'
import { createLogger } from '../../platform/logger.ts'
import type { StatePaths } from '../../platform/paths.ts'
import { MEMORY_SHARE } from './fleet.ts'
import { identify, writeProcessId } from '../../platform/process.ts'
import { createSupervisor } from '../../platform/supervisor.ts'
import { prepareStateDir } from '../state/state-dir.ts'

/** What `muster agent` was asked for. */
export interface RemoteNode {
  node: string
  flags: Record<string, string>
  attributes: readonly string[]
  /** words for `--gpu`; none: those of the machine */
  gpus: readonly string[]
}

/** Throws USAGE for what is no name or amount. */
export function remoteNode(wish: {
  name: string
  address: string
  region: string
  zone: string
  rack: string
  cpu?: string | undefined
  memory?: string | undefined
  disk?: string | undefined
  gpu: readonly string[]
  attribute: readonly string[]
}): RemoteNode {
  if (!/^[a-z0-9][a-z0-9.-]{0,62}$/.test(wish.name))
    throw refuse('USAGE', `--name ${wish.name}: a name of letters a–z, digits, dots and dashes is needed`)
  const cpuMilli = wish.cpu === undefined ? availableParallelism() * 1000 : parseCpu(wish.cpu)
  const memoryBytes = wish.memory === undefined ? Math.floor(totalmem() * MEMORY_SHARE) : parseSize(wish.memory)
  if (cpuMilli === null) throw refuse('USAGE', `--cpu: "${wish.cpu}" is not an amount of cpu such as 500m or 2`)
  if (memoryBytes === null) throw refuse('USAGE', `--memory: "${wish.memory}" is not a size such as 512MiB or 2GiB`)
  const diskBytes = wish.disk === undefined ? undefined : parseSize(wish.disk)
  if (diskBytes === null) throw refuse('USAGE', `--disk: "${wish.disk}" is not a size such as 512MiB or 20GiB`)
  const gpus = wish.gpu.length === 0 ? [] : gpuWords(parseGpus(wish.gpu))
  const { address, region, zone, rack, attribute } = wish
  return {
    node: wish.name,
    flags: {
      ...{ address, region, zone, rack, cpu: String(cpuMilli), memory: `${memoryBytes}B` },
      ...(diskBytes === undefined ? {} : { disk: `${diskBytes}B` }),
    },
    attributes: attribute,
    gpus,
  }
}

export function hasJoined(paths: StatePaths, node: string): boolean {
  return joinedServers(agentFiles(paths, node)) !== null
}

const GRACE_MS = 5000

/** Where the pid of whoever keeps a node's agent running is. */
export const keeperFile = (agentRoot: string): string => join(agentRoot, 'keeper.pid')

/**
 * Keeps the agent of this machine running: one that dies is started again, and takes its tasks over. `end` leaves the tasks.
 * Rejects with TW_NODE_CLAIMED while another process keeps it.
 */
export async function keepRemoteAgent(
  paths: StatePaths,
  { node, flags, attributes, gpus }: RemoteNode,
): Promise<{ end: () => Promise<void> }> {
  prepareStateDir(paths)
  await claimNode(node, keeperFile(paths.agent(node).root))
  const supervisor = createSupervisor(createLogger(join(paths.logs, 'agent-keeper.log')))
  const { root } = paths.agent(node)
  const self = identify(process.pid)
  // So that `muster down` ends the keeper first: it would start the agent again.
  if (self !== null) writeProcessId(keeperFile(root), self)
  const words = [
    ...Object.entries({ node, 'state-dir': paths.root, ...flags }),
    ...attributes.map((pair) => ['attribute', pair]),
    ...gpus.map((word) => ['gpu', word]),
  ].flatMap(([flag, value]) => [`--${flag}`, value ?? ''])
  supervisor.keep({
    name: `agent ${node}`,
    pidFile: join(root, 'agent.pid'),
    command: () => [...agentCommand(root), ...words],
    output: join(root, 'agent.out'),
  })
  return {
    end: async () => {
      await supervisor.end(`agent ${node}`, GRACE_MS)
      supervisor.detach()
    },
  }
}
