import { fork } from 'node:child_process'
import { join } from 'node:path'
import { createPrng } from '../../../src/core/kernel/prng.ts'
import { countTasks, openHouse } from './house.ts'

export interface Killed {
  kills: number
  /** said to be durable by the process that was killed last */
  acknowledged: number
  /** most of what one of them had acknowledged and was not there afterwards */
  lost: number
  /** tasks that are not counted on their nodes, or counted without a row */
  miscounted: number
  /** in the end, when nobody is killed any more */
  placed: number
}

/** Longest that a process works before it is killed. */
const LIFE_MS = 2500

/**
 * A process that fills the fleet is killed again and again, each after a time that the seed says, and the next goes on with what it left;
 * the last one may finish.
 */
export async function killAgainAndAgain(dir: string, kills: number, seed: number): Promise<Killed> {
  const prng = createPrng(seed)
  const killed: Killed = { kills: 0, acknowledged: 0, lost: 0, miscounted: 0, placed: 0 }
  for (let turn = 0; turn <= kills; turn += 1) {
    const { acknowledged, wasKilled } = await work(dir, turn < kills ? prng.below(LIFE_MS) : null)
    const { tasks, rows } = await look(dir)
    killed.placed = tasks
    killed.lost = Math.max(killed.lost, acknowledged - tasks)
    killed.miscounted = Math.max(killed.miscounted, Math.abs(rows - tasks))
    if (!wasKilled) break
    killed.kills += 1
    killed.acknowledged = acknowledged
  }
  return killed
}

/** @param lifeMs null: it ends by itself */
function work(dir: string, lifeMs: number | null): Promise<{ acknowledged: number; wasKilled: boolean }> {
  return new Promise((resolve, reject) => {
    let acknowledged = 0
    let timer: NodeJS.Timeout | null = null
    const child = fork(join(import.meta.dirname, 'fill-main.ts'), [dir], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
    child.on('message', (message: { tasks: number }) => {
      acknowledged = message.tasks
      if (lifeMs !== null) timer ??= setTimeout(() => child.kill('SIGKILL'), lifeMs)
    })
    child.on('error', reject)
    child.on('exit', (code, signal) => {
      if (timer !== null) clearTimeout(timer)
      if (code === 0 || signal === 'SIGKILL') resolve({ acknowledged, wasKilled: signal === 'SIGKILL' })
      else reject(new Error(`the filling process ended with ${code ?? signal}`))
    })
  })
}

async function look(dir: string): Promise<{ tasks: number; rows: number }> {
  const house = await openHouse(dir, [])
  try {
    const rows = house.control.db.get<{ n: number }>('SELECT count(*) AS n FROM tw_placed')?.n ?? 0
    return { tasks: countTasks(house.control), rows }
  } finally {
    await house.close()
  }
}
