import { chownSync, existsSync, mkdirSync, openSync, readFileSync, closeSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Preparation } from './isolation.ts'
import type { ProcessId } from '../../platform/process.ts'

/** `tasks/<id>/`: what a task is, which process it is, what it said, how it ended. Everything adoption needs. */
export class TaskFolder {
  readonly root: string
  readonly work: string
  readonly out: string
  readonly err: string

  constructor(tasks: string, id: number) {
    this.root = join(tasks, String(id))
    this.work = join(this.root, 'work')
    this.out = join(this.root, 'out')
    this.err = join(this.root, 'err')
  }

  create(owner: { uid: number; gid: number } | null): void {
    mkdirSync(this.work, { recursive: true, mode: 0o700 })
    if (owner !== null) chownSync(this.work, owner.uid, owner.gid)
  }

  /** Forgets the last start. Must come before the next one is put into the journal, or its exit would be counted twice. */
  clearStart(): void {
    for (const name of ['shim', 'pid', 'exit']) rmSync(join(this.root, name), { force: true })
  }

  /** For people and for cleaning up after a dead agent. */
  writeSpec(spec: unknown): void {
    writeFileSync(join(this.root, 'spec.json'), `${JSON.stringify(spec, null, 2)}\n`, { mode: 0o600 })
  }

  writePrepare({ script, mounts }: Preparation): void {
    writeFileSync(join(this.root, 'prepare'), script, { mode: 0o600 })
    if (mounts !== null) writeFileSync(join(this.root, 'mounts'), mounts, { mode: 0o600 })
  }

  /**
   * Takes the right to start away from a shim that may still be on its way.
   * @returns false when the shim was first: then there is or was a process
   */
  claimStart(): boolean {
    try {
      closeSync(openSync(join(this.root, 'shim'), 'wx', 0o600))
      return true
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
      throw error
    }
  }

  process(): ProcessId | null {
    return readNotedProcess(join(this.root, 'pid'))
  }

  shim(): ProcessId | null {
    return readNotedProcess(join(this.root, 'shim'))
  }

  exitCode(): number | null {
    const file = join(this.root, 'exit')
    if (!existsSync(file)) return null
    // Without its newline it is not all there yet.
    const [, code] = /^(\d+)\n$/.exec(readFileSync(file, 'latin1')) ?? []
    return code === undefined ? null : Number(code)
  }

  remove(): void {
    rmSync(this.root, { recursive: true, force: true })
  }
}

/** Reads `pid startTime bootId` as the shim writes it; null when absent or torn. */
function readNotedProcess(file: string): ProcessId | null {
  let text: string
  try {
    text = readFileSync(file, 'latin1')
  } catch {
    return null
  }
  const match = /^(\d+) (\d+) (\S+)\n$/.exec(text)
  return match ? { pid: Number(match[1]), startTime: Number(match[2]), bootId: match[3] ?? '' } : null
}
