import { existsSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { refuse } from '../core/kernel/errors.ts'
import { replaceFileDurably } from '../platform/files.ts'
import { entryPoint } from '../platform/spawn.ts'

/*
 * Which installation a node's agent runs from. Whoever keeps the agent running (the server beside it, or `muster agent`) reads it at each
 * start; an upgrade writes it and ends the agent. An installation whose agent does not come to answer goes out of use by itself.
 *
 *   agents/NODE/installation.json
 */

interface Chosen {
  v: 1
  /** of the upgrade that chose it, so that being told twice does nothing the second time */
  upgrade: number
  /** root of the package; null: that of the keeper */
  folder: string | null
  /** the one before, to go back to */
  before?: { folder: string | null }
  /** how often it was started before it answered; null: it has */
  starts: number | null
}

/** Starts without an answer after which the installation before is used again: in less time than it takes to be given up as lost. */
const STARTS_MAX = 2

const fileOf = (agentRoot: string): string => join(agentRoot, 'installation.json')

function read(agentRoot: string): Chosen | null {
  const file = fileOf(agentRoot)
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Chosen) : null
}

const write = (agentRoot: string, chosen: Chosen): void => replaceFileDurably(fileOf(agentRoot), `${JSON.stringify(chosen)}\n`)

const mainOf = (folder: string): string => join(folder, 'dist', 'agent', 'main.js')

/** The argv that starts the agent, and counts the start. */
export function agentCommand(agentRoot: string): string[] {
  const chosen = read(agentRoot)
  if (chosen === null) return entryPoint('agent/main')
  const { before, starts } = chosen
  const isTooOften = before !== undefined && starts !== null && starts >= STARTS_MAX
  const folder = isTooOften ? before.folder : chosen.folder
  if (isTooOften) write(agentRoot, { v: 1, upgrade: chosen.upgrade, folder, starts: null })
  else if (starts !== null) write(agentRoot, { ...chosen, starts: starts + 1 })
  return folder === null ? entryPoint('agent/main') : [process.execPath, mainOf(folder)]
}

/** The agent answers its server: what it runs from is good to run from. */
export function confirmInstallation(agentRoot: string): void {
  const chosen = read(agentRoot)
  // What was before is kept: the wave may have to go back all the same.
  if (chosen !== null && chosen.starts !== null) write(agentRoot, { ...chosen, starts: null })
}

/**
 * Chooses another installation, or the one before (`isBack`), for the next start.
 * @returns false when this upgrade has chosen it already
 * @throws MusterError NOT_FOUND when there is no agent in that folder
 */
export function chooseInstallation(agentRoot: string, wish: { upgrade: number; folder: string | null; isBack: boolean }): boolean {
  const chosen = read(agentRoot)
  if (wish.isBack) {
    if (chosen?.upgrade !== wish.upgrade || chosen.before === undefined) return false
    const { folder } = chosen.before
    write(agentRoot, { v: 1, upgrade: wish.upgrade, folder, starts: 0 })
    return true
  }
  if (chosen?.upgrade === wish.upgrade) return false
  if (wish.folder !== null && !existsSync(mainOf(wish.folder)))
    throw refuse('NOT_FOUND', `there is no agent of muster in ${wish.folder} on this node`)
  const before = { folder: chosen?.folder ?? null }
  write(agentRoot, { v: 1, upgrade: wish.upgrade, folder: wish.folder ?? before.folder, before, starts: 0 })
  return true
}

/** The package that this agent was started from. */
export function ownFolder(): string {
  return resolve(process.argv[1] ?? '', '..', '..', '..')
}
