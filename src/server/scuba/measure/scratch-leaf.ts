import { type ChildProcess, spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { endChild, entryPoint } from '../../../platform/spawn.ts'
import { createScubaClient, type ScubaClient } from '../client.ts'

const TICKS_A_SECOND = 100

/** A real leaf on a folder that the caller keeps, with its engines, asked over its socket. It belongs to no fleet. */
export class ScratchLeaf {
  readonly dir: string
  readonly client: ScubaClient
  #child: ChildProcess | null = null

  constructor(dir: string) {
    this.dir = dir
    this.client = createScubaClient(this.socket)
  }

  get socket(): string {
    return join(this.dir, 'leaf.sock')
  }

  get pid(): number {
    return this.#child?.pid ?? 0
  }

  /**
   * Resolves when it and its engine answer.
   * @param options of the leaf's command line
   * @param before a program and its arguments that start it, e.g. `taskset`
   */
  async start(options: readonly string[] = [], before: readonly string[] = []): Promise<void> {
    const [node, file] = entryPoint('server/scuba/leaf-main')
    const words = [...before, node, file, '--dir', this.dir, '--socket', this.socket, '--log', join(this.dir, 'leaf.log'), ...options]
    const child = spawn(words[0] ?? node, words.slice(1), { stdio: ['ignore', 'ignore', 'inherit'] })
    this.#child = child
    for (const until = Date.now() + 60_000; Date.now() < until && child.exitCode === null;) {
      const health = await this.client.health().catch(() => null)
      if (health?.pid === child.pid && health?.isEngineReady === true) return
      await sleep(20)
    }
    throw new Error(`the leaf on ${this.dir} does not answer; see leaf.log there`)
  }

  /** Processor time of the leaf and its engines so far, seconds. */
  cpuSeconds(): number {
    return [this.pid, ...children(this.pid)].reduce((sum, pid) => sum + cpuSecondsOf(pid), 0)
  }

  async end(signal: 'SIGTERM' | 'SIGKILL' = 'SIGTERM'): Promise<void> {
    const child = this.#child
    this.#child = null
    await endChild(child, signal)
  }

  async close(): Promise<void> {
    await this.end()
    this.client.close()
  }
}

/** Processor time of a process so far; none of one that has ended. */
export function cpuSecondsOf(pid: number): number {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /s, '')
      .split(' ')
    return (Number(fields[11]) + Number(fields[12])) / TICKS_A_SECOND
  } catch {
    // It has ended.
    return 0
  }
}

function children(pid: number): number[] {
  try {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number)
  } catch {
    return []
  }
}
