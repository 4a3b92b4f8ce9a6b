import type { Prng } from '../../src/core/kernel/prng.ts'
import { maintenanceStepped } from '../../src/core/tw/entries/maintenance.ts'
import { profileFinished } from '../../src/core/tw/entries/profiles.ts'
import { openMaintenance, workRows } from '../../src/core/tw/maintenance/rows.ts'
import { switchingNodes } from '../../src/core/tw/profiles/rows.ts'
import type { Agents } from './agents.ts'
import type { ControlState } from './state.ts'

const STEP_MS = 250

/** Who works on nodes that were taken out of service: people, commands, and agents that write kernel settings. */
export class Works {
  readonly #state: ControlState
  readonly #agents: Agents
  readonly #prng: Prng
  /** work that goes on: when it is done */
  readonly #doneAt = new Map<string, number>()

  constructor(state: ControlState, agents: Agents, prng: Prng) {
    this.#state = state
    this.#agents = agents
    this.#prng = prng
  }

  /** When somebody is done next; Infinity: nobody works. `settle` is called after each that is done now. */
  nextAt(settle: () => void): number {
    let next = Infinity
    for (const { key, finish } of [...this.#maintenances(), ...this.#switches()]) {
      const { now } = this.#state
      const doneAt = this.#doneAt.get(key) ?? now + STEP_MS * (1 + this.#prng.below(40))
      this.#doneAt.set(key, doneAt)
      if (doneAt > now) {
        next = Math.min(next, doneAt)
        continue
      }
      finish()
      settle()
      next = Math.min(next, now + STEP_MS)
    }
    return next
  }

  #maintenances(): { key: string; finish: () => void }[] {
    const { db } = this.#state
    return openMaintenance(db).flatMap(({ id, command }) =>
      workRows(db, id)
        .filter(({ state }) => state === 'working')
        .map(({ node }) => ({
          key: `${id}/${node}`,
          finish: () => {
            if (command === null) return this.#agents.boot(node)
            const end =
              this.#prng.below(5) > 0 ? ({ state: 'verifying', why: '' } as const) : ({ state: 'aborted', why: 'it failed' } as const)
            return this.#state.append([maintenanceStepped.of({ maintenance: id, node, ...end })], 'effect:tw.maintain')
          },
        })),
    )
  }

  #switches(): { key: string; finish: () => void }[] {
    return switchingNodes(this.#state.db)
      .filter(({ state }) => state === 'writing')
      .map(({ node, switch: id }) => ({
        key: `switch ${id}/${node}`,
        finish: () => {
          const outcome = this.#prng.below(5) > 0 ? 'set' : 'failed'
          const why = outcome === 'set' ? '' : 'it did not read as written'
          this.#state.append([profileFinished.of({ node, switch: id, outcome, differs: {}, why })], 'effect:tw.profile')
        },
      }))
  }
}
