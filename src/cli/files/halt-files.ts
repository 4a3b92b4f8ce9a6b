import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { StatePaths } from '../../platform/paths.ts'

/** Nodes of this machine that have a folder in the state. */
function localNodes(paths: StatePaths): string[] {
  try {
    return readdirSync(paths.agents, { withFileTypes: true }).flatMap((entry) => (entry.isDirectory() ? [entry.name] : []))
  } catch {
    return []
  }
}

/** Tells every local agent to undo its faults, without the server; gives their names. */
export function haltDirectly(paths: StatePaths, reason: string): string[] {
  const nodes = localNodes(paths)
  for (const node of nodes) {
    const { root } = paths.agent(node)
    mkdirSync(root, { recursive: true, mode: 0o700 })
    writeFileSync(join(root, 'HALT'), `${reason}\n`, { mode: 0o600 })
  }
  return nodes
}

/** Takes the files back; gives the nodes that had one. */
export function resumeDirectly(paths: StatePaths): string[] {
  const nodes = localNodes(paths)
  for (const node of nodes) rmSync(join(paths.agent(node).root, 'HALT'), { force: true })
  return nodes
}
