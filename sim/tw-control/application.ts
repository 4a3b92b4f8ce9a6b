import type { Prng } from '../../src/core/kernel/prng.ts'
import { opAnswer } from '../../src/core/tw/operations.ts'
import type { ConsentAsk } from '../../src/core/tw/queries.ts'
import { isReady, taskName } from '../../src/core/tw/rows.ts'
import { liveTasks } from '../../src/core/tw/tasks/read.ts'
import type { ControlState } from './state.ts'

/**
 * An application with a leader: allows followers first and the leader when nothing else is planned or under way. Now and then it is silent,
 * or puts something off.
 */
export class Application {
  readonly #state: ControlState
  readonly #prng: Prng
  /** by group: the task that leads, until it no longer serves */
  readonly #leaders = new Map<string, number>()
  isCalm = false

  constructor(state: ControlState, prng: Prng) {
    this.#state = state
    this.#prng = prng
  }

  /** The task that leads, if one serves. */
  leaderOf(job: string, group: string): number | undefined {
    const serving = liveTasks(this.#state.db, job, group).filter((task) => task.want === 'run' && isReady(task))
    const key = `${job}/${group}`
    const known = this.#leaders.get(key)
    if (serving.some((task) => task.id === known)) return known
    const next = serving[this.#prng.below(Math.max(1, serving.length))]?.id
    if (next === undefined) this.#leaders.delete(key)
    else this.#leaders.set(key, next)
    return next
  }

  answer({ job, group, request }: ConsentAsk): void {
    const mood = this.isCalm ? 0 : this.#prng.below(6)
    if (mood === 5) return
    const leader = this.leaderOf(job, group)
    const name = liveTasks(this.#state.db, job, group).find((task) => task.id === leader)
    const isLeader = (op: { task: string }): boolean => name !== undefined && op.task === taskName(name)
    const followers = request.pending.filter((op) => !isLeader(op))
    const last = request.pending.filter(isLeader)
    const ready = followers.length > 0 || request.running.length > 0 ? followers : last
    const delay = mood === 4 ? ready.slice(0, 1).map(({ op }) => ({ op, until: this.#state.now + 3000, why: 'later' })) : []
    const allow = ready.map(({ op }) => op).filter((op) => !delay.some((it) => it.op === op))
    const order = mood === 3 ? [...followers, ...last].map(({ op }) => op) : []
    this.#state.run(opAnswer, { job, group, allow, delay, order }, `consent:${job}.${group}`)
  }
}
