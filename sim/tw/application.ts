import type { Prng } from '../../src/core/kernel/prng.ts'
import { opAnswer } from '../../src/core/tw/operations.ts'
import type { OpRow } from '../../src/core/tw/ops/op-row.ts'
import { consentRequest } from '../../src/core/tw/queries.ts'
import { isReady, taskName } from '../../src/core/tw/rows.ts'
import { liveTasks } from '../../src/core/tw/tasks/read.ts'
import type { SimServer } from './server.ts'
import type { TwWorld } from './world.ts'

const ASK_MS = 3000
const ASKED = "SELECT DISTINCT job, grp FROM tw_op WHERE ended_at IS NULL AND state = 'proposed' ORDER BY job, grp"
/** Longest delay it asks for, ms. */
const DELAY_MS = 15_000

/**
 * What the tasks of a group are, seen from within: some database with a leader, that is asked before its tasks are touched. It lets the leader
 * go last; it may be slow, silent, and of another mind than before.
 */
export class Applications {
  readonly #world: TwWorld
  readonly #prng: Prng
  /** id of the task that leads, by group */
  readonly #leaders = new Map<string, number>()

  constructor(world: TwWorld, prng: Prng) {
    this.#world = world
    this.#prng = prng
  }

  start(): void {
    this.#world.queue.after(this.#prng.next() * ASK_MS, () => {
      for (const { job, grp } of this.#world.leader?.db.all<OpRow>(ASKED) ?? []) this.#answer(job, grp)
      this.start()
    })
  }

  #answer(job: string, group: string): void {
    const server = this.#world.leader
    if (server === null || (!this.#world.isCalm && this.#prng.below(3) === 0)) return
    const asked = consentRequest(server.db, job, group, server.now())
    if (asked === null || asked.pending.length === 0) return
    const leader = this.#leaderOf(server, job, group)
    const pending = [...asked.pending].sort((a, b) => Number(a.task === leader) - Number(b.task === leader) || a.op - b.op)
    const isLater = !this.#world.isCalm && this.#prng.below(5) === 0
    const until = server.now() + 1000 + this.#prng.below(DELAY_MS)
    const ops = pending.map(({ op }) => op)
    const delay = isLater ? ops.map((op) => ({ op, until, why: 'busy' })) : []
    this.#world.ask('app', opAnswer, { job, group, allow: isLater ? [] : ops, delay, order: ops })
  }

  /** Name of the task that leads: the one that did, or another that serves. */
  #leaderOf({ db }: SimServer, job: string, group: string): string | null {
    const key = `${job}/${group}`
    const able = liveTasks(db, job, group).filter(isReady)
    const leader = able.find(({ id }) => id === this.#leaders.get(key)) ?? able[this.#prng.below(Math.max(1, able.length))]
    if (leader === undefined) return null
    this.#leaders.set(key, leader.id)
    return taskName(leader)
  }
}
