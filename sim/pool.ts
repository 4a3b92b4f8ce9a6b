import { fork } from 'node:child_process'
import { join } from 'node:path'

/** Of one run, of whatever system. */
export interface SeedOptions {
  seed: number
  /** planted defect */
  mutant: string | null
}

/** How a run ended. */
export interface SeedResult {
  seed: number
  ok: boolean
  /** what was violated, with where; null if nothing was */
  violation: string | null
}

export type System = 'delos' | 'tw' | 'tw-control'

/** What a worker is sent. */
export interface Portion {
  system: System
  list: SeedOptions[]
}

export interface Seeds<Options extends SeedOptions> {
  system: System
  options: Omit<Options, 'seed'>
  from: number
  count: number
}

export interface Pool {
  processes: number
  isTimeOver: () => boolean
  onViolation: (result: SeedResult) => void
}

/** Seeds a worker gets at a time. */
const PORTION = 20

/** Runs seeds in processes of their own; with a mutant only until one notices it, without one all, unless the time is over. */
export async function runSeeds<Options extends SeedOptions, Result extends SeedResult>(
  { system, options, from, count }: Seeds<Options>,
  { processes, isTimeOver, onViolation }: Pool,
): Promise<Result[]> {
  const results: Result[] = []
  let nextSeed = from
  let isOver = false

  const work = async (): Promise<void> => {
    const child = fork(join(import.meta.dirname, 'worker.ts'))
    const portion = (): void => {
      const list: SeedOptions[] = []
      while (!isOver && !isTimeOver() && list.length < PORTION && nextSeed < from + count) {
        list.push({ ...options, seed: nextSeed })
        nextSeed += 1
      }
      if (list.length > 0) child.send({ system, list } satisfies Portion)
      else child.disconnect()
    }
    child.on('message', (done: Result[]) => {
      results.push(...done)
      for (const result of done) {
        if (result.ok) continue
        if (options.mutant !== null) isOver = true
        onViolation(result)
      }
      portion()
    })
    portion()
    await new Promise<void>((resolve, reject) => {
      child.on('exit', (code) => (code === 0 ? resolve() : reject(new Error(`a worker ended with ${code}`))))
    })
  }

  await Promise.all(Array.from({ length: processes }, work))
  return results
}
