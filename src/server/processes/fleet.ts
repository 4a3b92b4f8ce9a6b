import { existsSync, readFileSync } from 'node:fs'
import { availableParallelism, totalmem } from 'node:os'
import { join } from 'node:path'
import type { Gpus } from '../../core/contracts/node.ts'
import { diskBytesOf, gpuWords } from '../../agent/devices.ts'
import { replaceFile } from '../../platform/files.ts'
import type { StatePaths } from '../../platform/paths.ts'
import { agentCommand } from '../../agent/installation.ts'
import type { SupervisedProcess } from '../../platform/supervisor.ts'

/** A node agent that runs on the server's own machine. */
export interface LocalNode {
  node: string
  region: string
  zone: string
  rack: string
  cpuMilli: number
  memoryBytes: number
  /** absent: an even share of what the file system of the state has */
  diskBytes?: number
  /** absent: the first node has those of the machine, and the others have none */
  gpus?: Gpus[]
}

/** What `muster up` was asked for; kept beside the state so that the next `up` brings back the same fleet. */
export interface LocalFleet {
  nodes: LocalNode[]
  /** first port to try for the gateways, or null for 15001 */
  gatewayPort: number | null
}

/** Part of the machine's memory that tasks may reserve; the rest is for muster itself and the page cache. */
export const MEMORY_SHARE = 0.75

/** Nodes spread over regions, which share the machine's cores and memory evenly unless said otherwise. */
export function planLocalFleet(wanted: {
  nodes: number
  regions: number
  gatewayPort: number | null
  cpuMilli?: number | undefined
  memoryBytes?: number | undefined
  diskBytes?: number | undefined
  /** of each node */
  gpus?: Gpus[] | undefined
  /** of nodes beside those of other servers: the server's name before each */
  server?: string | undefined
}): LocalFleet {
  const cpuMilli = wanted.cpuMilli ?? Math.floor((availableParallelism() * 1000) / Math.max(1, wanted.nodes))
  const memoryBytes = wanted.memoryBytes ?? Math.floor((totalmem() * MEMORY_SHARE) / Math.max(1, wanted.nodes))
  const nodes = Array.from({ length: wanted.nodes }, (_, i): LocalNode => {
    const region = (i % wanted.regions) + 1
    return {
      node: wanted.server === undefined ? `n${i + 1}` : `${wanted.server}-n${i + 1}`,
      region: `r${region}`,
      zone: `r${region}-z1`,
      rack: `r${region}-k${Math.floor(i / wanted.regions) + 1}`,
      cpuMilli,
      memoryBytes,
      ...(wanted.diskBytes === undefined ? {} : { diskBytes: wanted.diskBytes }),
      ...(wanted.gpus === undefined ? {} : { gpus: wanted.gpus }),
    }
  })
  return { nodes, gatewayPort: wanted.gatewayPort }
}

const fileOf = (paths: StatePaths): string => join(paths.root, 'fleet.json')

export function readLocalFleet(paths: StatePaths): LocalFleet | null {
  const file = fileOf(paths)
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as LocalFleet) : null
}

export function writeLocalFleet(paths: StatePaths, fleet: LocalFleet): void {
  replaceFile(fileOf(paths), `${JSON.stringify(fleet, null, 2)}\n`)
}

/** How the agent of a node is run and found again. */
export function agentProcess(paths: StatePaths, fleet: LocalFleet, node: LocalNode): SupervisedProcess {
  const at = paths.agent(node.node)
  const place = fleet.nodes.indexOf(node)
  const port = (fleet.gatewayPort ?? 15_001) + place
  // Only one of them may give the GPUs of the machine away.
  const gpus = node.gpus ?? (place === 0 ? undefined : [])
  const flags = {
    node: node.node,
    'state-dir': paths.root,
    region: node.region,
    zone: node.zone,
    rack: node.rack,
    cpu: String(node.cpuMilli),
    memory: `${node.memoryBytes}B`,
    disk: `${node.diskBytes ?? Math.floor(diskBytesOf(paths.root) / fleet.nodes.length)}B`,
    server: paths.socket,
    'scuba-socket': paths.scubaSocket,
    'gateway-port': String(port),
  }
  const words = [
    ...Object.entries(flags).flatMap(([flag, value]) => [`--${flag}`, value]),
    ...(gpus === undefined ? [] : gpuWords(gpus).flatMap((word) => ['--gpu', word])),
  ]
  return {
    name: `agent ${node.node}`,
    pidFile: join(at.root, 'agent.pid'),
    command: () => [...agentCommand(at.root), ...words],
    output: join(at.root, 'agent.out'),
  }
}
