import { fork } from 'node:child_process'
import { join } from 'node:path'
import type { SimOptions, SimResult } from './delos/options.ts'

export interface Seeds {
  options: Omit<SimOptions, 'seed'>
  from: number
  count: number
}

export interface Pool {
  processes: number
  isTimeOver: () => boolean
  onViolation: (result: SimResult) => void
}

/** Seeds a worker gets at a time. */
const PORTION = 20

/** Runs seeds in processes of their own; with a mutant only until one notices it, without one all, unless the time is over. */
export async function runSeeds({ options, from, count }: Seeds, { processes, isTimeOver, onViolation }: Pool): Promise<SimResult[]> {
  const results: SimResult[] = []
  let nextSeed = from
  let isOver = false

  const work = async (): Promise<void> => {
    const child = fork(join(import.meta.dirname, 'worker.ts'))
    const portion = (): void => {
      const list: SimOptions[] = []
      while (!isOver && !isTimeOver() && list.length < PORTION && nextSeed < from + count) {
        list.push({ ...options, seed: nextSeed })
        nextSeed += 1
      }
      if (list.length > 0) child.send(list)
      else child.disconnect()
    }
    child.on('message', (done: SimResult[]) => {
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
