import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { statePaths, type StatePaths } from '../../platform/paths.ts'
import { identify, isAlive, readProcessId, writeProcessId } from '../../platform/process.ts'
import { tearDown } from './teardown.ts'

const PREFIX = 'muster-demo-'

/** A folder under the temporary folder that belongs to this process; its context lives in `s/`. */
export function makeEphemeral(): { folder: string; paths: StatePaths } {
  const folder = mkdtempSync(join(tmpdir(), PREFIX))
  const me = identify(process.pid)
  if (me) writeProcessId(join(folder, 'owner.json'), me)
  return { folder, paths: pathsIn(folder) }
}

function pathsIn(folder: string): StatePaths {
  return statePaths('demo', { MUSTER_STATE_DIR: join(folder, 's') })
}

/** Ends and removes ephemeral fleets of ours whose owner was killed. Gives their folders. */
export async function sweepEphemeral(): Promise<string[]> {
  const mine = readdirSync(tmpdir())
    .filter((name) => name.startsWith(PREFIX))
    .map((name) => join(tmpdir(), name))
    .filter((folder) => isMine(folder) && isOrphan(folder))
  for (const folder of mine) {
    await tearDown(pathsIn(folder))
    rmSync(folder, { recursive: true, force: true })
  }
  return mine
}

function isMine(folder: string): boolean {
  try {
    return statSync(folder).uid === process.getuid?.()
  } catch {
    return false
  }
}

function isOrphan(folder: string): boolean {
  const owner = readProcessId(join(folder, 'owner.json'))
  return owner !== null && !isAlive(owner)
}
