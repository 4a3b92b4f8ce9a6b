import type { NodeReport } from '../../core/contracts/node.ts'
import { refuse } from '../../core/kernel/errors.ts'
import { isLater, type NodeBeat, type ReportMark } from '../../core/tw/queries.ts'

/** A beat so fresh that another agent of the same name must be an impostor. */
const CLAIM_FRESH_MS = 3000

/** What is heard of one node. Ages come from a clock that only goes forward, so a step of the machine's time silences nobody. */
export class Beat implements NodeBeat {
  readonly #clock: () => number
  #heardAtMs: number
  #last: ReportMark | null = null
  /** which life of the agent holds the stream */
  #holder: Pick<ReportMark, 'bootId' | 'instance'> | null = null
  /** hash of the report that was last concluded on, as long as the state is the same for this node; null: a report is wanted */
  concluded: number | null = null
  bootId = ''
  meshPosition = 0
  /** the agent over which its last beat came; null: it came straight */
  via: string | null = null

  /** @param clock ms that only go forward */
  constructor(clock: () => number = () => performance.now()) {
    this.#clock = clock
    this.#heardAtMs = clock()
  }

  get ageMs(): number {
    return this.#clock() - this.#heardAtMs
  }

  /** number of the last word that counted, in its agent's life; 0: none */
  get seq(): number {
    return this.#last?.seq ?? 0
  }

  get connected(): boolean {
    return this.#holder !== null
  }

  /** Whether its stream is that of this life. */
  isHeldBy({ bootId, instance }: Pick<ReportMark, 'bootId' | 'instance'>): boolean {
    return this.#holder?.bootId === bootId && this.#holder.instance === instance
  }

  /** An agent opens its stream. Throws TW_NODE_CLAIMED while another one lives. */
  connect(node: string, life: Pick<ReportMark, 'bootId' | 'instance'>): void {
    this.#assertFree(node, life)
    this.#holder = life
  }

  disconnect(): void {
    this.#holder = null
  }

  /** Takes a report in. False: it is late or doubled, and says nothing. Throws TW_NODE_CLAIMED while another agent lives. */
  hear({ identity: { node, bootId }, instance, seq }: NodeReport): boolean {
    return this.note(node, { bootId, instance, seq }, 0, this.via)
  }

  /**
   * The same of a beat.
   * @param ageMs how long ago it was said
   * @param via the agent it came over
   */
  note(node: string, mark: ReportMark, ageMs = 0, via: string | null = null): boolean {
    const { bootId } = mark
    if (this.#last !== null && bootId === this.#last.bootId && !isLater(this.#last, mark)) return false
    this.#assertFree(node, mark)
    this.#last = mark
    this.#heardAtMs = Math.max(this.#heardAtMs, this.#clock() - ageMs)
    this.bootId = bootId
    this.via = via
    return true
  }

  #assertFree(node: string, { bootId, instance }: Pick<ReportMark, 'bootId' | 'instance'>): void {
    const holder = this.#holder
    if (holder === null || (holder.bootId === bootId && holder.instance === instance) || this.ageMs >= CLAIM_FRESH_MS) return
    throw refuse('TW_NODE_CLAIMED', `the node ${node} is run by another agent, which was heard ${Math.round(this.ageMs)} ms ago`)
  }
}
