import type { Entry } from '../../core/contracts/entry.ts'
import type { DesiredTask } from '../../core/contracts/node.ts'
import type { ReadDb } from '../../core/contracts/storage.ts'
import { DEFAULT_SETTINGS, lastTaskId, lostTasks } from '../../core/tw/queries.ts'

/** Failures are counted over so long: more of them than may start in one second are a mass failure. */
const FAILURES_MS = 10_000
/** What found no place so long after the loss starts like anything else. */
const STORM_MS_MAX = 600_000
/** Starts that may be saved up, as a time. */
const BURST_MS = 100

interface Storm {
  /** tasks with higher ids were placed after the loss */
  since: number
  endsAtMs: number
  /** replacements that have not been told to start, by `JOB/GROUP` */
  debts: Map<string, number>
  /** told to start */
  out: Set<number>
  /** task → node, in the order they start */
  waiting: Map<number, string>
}

/**
 * Spreads the starts after a mass failure, of a domain or of tasks: places are decided at full speed, and as many new tasks of each group as it
 * lost are told to their agents at a bounded rate. Starts of other groups pass. Restarts by agents themselves are spread by their back-off alone.
 * Soft: a server that takes over in between lets everything out.
 */
export class StartGate {
  readonly #rate: () => number
  readonly #clock: () => number
  #storm: Storm | null = null
  #starts = 0
  #filledAtMs = 0
  /** failures of the last while, by when they came: `JOB/GROUP` → tasks */
  #failures: { atMs: number; of: Map<string, number> }[] = []

  /** @param rate starts a second, as it is set now; @param clock ms that only go forward */
  constructor(rate: () => number = () => DEFAULT_SETTINGS.stormRate, clock: () => number = () => performance.now()) {
    this.#rate = rate
    this.#clock = clock
  }

  /** An entry was applied; `db` holds it. */
  note(db: ReadDb, entry: Entry): void {
    if (entry.type === 'tw.TasksReported') return this.#noteFailures(db, entry)
    if (entry.type !== 'tw.DomainLost') return
    const lost = lostTasks(db, (entry.body as { nodes: string[] }).nodes, entry.at)
    this.#owe(db, entry, new Map(lost.map(({ job, group, tasks }) => [`${job}/${group}`, tasks])))
  }

  #noteFailures(db: ReadDb, entry: Entry): void {
    const { tasks } = entry.body as { tasks: readonly { task: string; state: string }[] }
    const of = new Map<string, number>()
    for (const { task, state } of tasks) {
      const group = task.slice(0, task.indexOf('['))
      if (state === 'failed') of.set(group, (of.get(group) ?? 0) + 1)
    }
    if (of.size === 0) return
    if (this.#storm !== null) return this.#owe(db, entry, of)
    const now = this.#clock()
    this.#failures = [...this.#failures.filter(({ atMs }) => now - atMs < FAILURES_MS), { atMs: now, of }]
    const failed = this.#failures.reduce((sum, it) => sum + [...it.of.values()].reduce((a, b) => a + b, 0), 0)
    if (failed <= this.#rate()) return
    for (const it of this.#failures) this.#owe(db, entry, it.of)
    this.#failures = []
  }

  /** So many tasks of each group are gone at once: as many that come for them wait for their turn. */
  #owe(db: ReadDb, entry: Entry, gone: ReadonlyMap<string, number>): void {
    const now = this.#clock()
    if (this.#storm === null) {
      this.#storm = { since: lastTaskId(db, entry.position), endsAtMs: 0, debts: new Map(), out: new Set(), waiting: new Map() }
      this.#filledAtMs = now
    }
    this.#storm.endsAtMs = now + STORM_MS_MAX
    const { debts } = this.#storm
    for (const [key, tasks] of gone) debts.set(key, (debts.get(key) ?? 0) + tasks)
  }

  /** Whether the agent of the node is not to be told of the task yet. {@link release} says when it is. */
  holds(node: string, task: DesiredTask): boolean {
    const storm = this.#storm
    const key = `${task.job}/${task.group}`
    if (storm === null || task.want === 'stop' || task.id <= storm.since || storm.out.has(task.id)) return false
    if (storm.waiting.has(task.id)) return true
    const debt = storm.debts.get(key) ?? 0
    if (debt === 0) return false
    if (debt === 1) storm.debts.delete(key)
    else storm.debts.set(key, debt - 1)
    storm.waiting.set(task.id, node)
    return true
  }

  /** Lets out who may start by now: the nodes to be told. */
  release(): Set<string> {
    const storm = this.#storm
    const nodes = new Set<string>()
    if (storm === null) return nodes
    const now = this.#clock()
    const rate = this.#rate()
    this.#starts = Math.min(Math.max(1, (BURST_MS * rate) / 1000), this.#starts + ((now - this.#filledAtMs) * rate) / 1000)
    this.#filledAtMs = now
    const isOver = now >= storm.endsAtMs
    for (const [task, node] of storm.waiting) {
      if (this.#starts < 1 && !isOver) break
      this.#starts -= 1
      storm.waiting.delete(task)
      storm.out.add(task)
      nodes.add(node)
    }
    if (isOver || (storm.debts.size === 0 && storm.waiting.size === 0)) this.#storm = null
    return nodes
  }

  /** Somebody waits to be let out. */
  get isBusy(): boolean {
    return this.#storm !== null && this.#storm.waiting.size > 0
  }
}
