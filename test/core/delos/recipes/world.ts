import { isRpcError } from '../../../../src/core/delos/kv/errors.ts'
import { NOBODY, type KvCommand, type ResponseOf } from '../../../../src/core/delos/kv/command.ts'
import { createStore } from '../../../../src/core/delos/kv/store.ts'
import type { KvStore } from '../../../../src/core/delos/kv/store-contract.ts'
import type { KeyRange } from '../../../../src/core/delos/recipes/etcd/request.ts'
import type { Next, Recipe, Refused } from '../../../../src/core/delos/recipes/etcd/step.ts'
import type * as m from '../../../../src/core/delos/wire/messages.ts'
import type { RpcError } from '../../../../src/core/delos/wire/service.ts'

/** The real store, and clients of it that run recipes one step at a time, in whatever order a test wants. */
export interface World {
  store: KvStore
  /** an answer, or null where the store refuses because the lease is gone */
  commit: (request: m.TxnRequest) => m.TxnResponse | null
  range: (request: m.RangeRequest) => m.RangeResponse
  grant: () => bigint
  /** the lease ends: all its keys go in one revision */
  end: (lease: bigint) => void
}

export function newWorld(): World {
  const store = createStore()
  let position = 0
  let lease = 0x6000n
  const apply = <C extends KvCommand>(command: C): ResponseOf<C> | RpcError => {
    const refused = store.check(command)
    if (refused !== null) return refused
    position += 1
    return store.apply(command, { position, timeMs: position })
  }
  const must = <T extends object>(answer: T | RpcError): T => {
    if (isRpcError(answer)) throw new Error(answer.text)
    return answer
  }
  return {
    store,
    commit: (request) => {
      const answer = apply({ kind: 'txn', request, who: NOBODY })
      if (!isRpcError(answer)) return answer
      if (answer.text.includes('lease not found')) return null
      throw new Error(answer.text)
    },
    range: (request) => must(store.range(request, NOBODY)),
    grant: () => {
      lease += 1n
      must(apply({ kind: 'leaseGrant', id: lease, ttlS: 60, who: NOBODY }))
      return lease
    },
    end: (id) => {
      if (store.lease(id) !== null) must(apply({ kind: 'leaseRevoke', id, who: NOBODY }))
    },
  }
}

export type Phase<Held> =
  | { is: 'asking' }
  | { is: 'waiting'; range: KeyRange; from: number; until: 'changed' | 'deleted' }
  | { is: 'held'; held: Held }
  | { is: 'refused'; refused: Refused }

/** One run of a recipe. */
export class Client<State, Held> {
  state: State
  phase: Phase<Held> = { is: 'asking' }
  readonly world: World
  readonly recipe: Recipe<State, Held>

  constructor(world: World, recipe: Recipe<State, Held>) {
    this.world = world
    this.recipe = recipe
    this.state = recipe.start
  }

  /** Goes one step on, if there is one to go. `isAnswerLost`: the request is carried out twice, and only the second answer arrives. */
  step(isAnswerLost = false): boolean {
    if (this.phase.is === 'waiting') {
      if (!this.isWoken(this.phase)) return false
      this.phase = { is: 'asking' }
    }
    if (this.phase.is !== 'asking') return false
    const request = this.recipe.ask(this.state)
    if (isAnswerLost) this.world.commit(request)
    const answer = this.world.commit(request)
    this.follow(answer === null ? { do: 'refused', why: 'lost', text: 'requested lease not found' } : this.recipe.told(this.state, answer))
    return true
  }

  /** Runs until there is nothing more to do for it now. */
  run(): Phase<Held> {
    for (let steps = 0; this.step(); steps += 1) if (steps > 1000) throw new Error('the recipe does not come to rest')
    return this.phase
  }

  /** What it holds; throws if it does not. */
  get held(): Held {
    if (this.phase.is !== 'held') throw new Error(`it does not hold: ${JSON.stringify(this.phase.is)}`)
    return this.phase.held
  }

  private isWoken({ range: { key, range_end: end }, from, until }: Phase<Held> & { is: 'waiting' }): boolean {
    return this.world.store
      .changesFrom(from, 1_000_000)
      .some(
        (change) => (end === '' ? change.key === key : change.key >= key && change.key < end) && (until === 'changed' || change.isDeleted),
      )
  }

  private follow(next: Next<State, Held>): void {
    switch (next.do) {
      case 'ask':
        this.state = next.state
        break
      case 'wait':
        this.state = next.state
        this.phase = { is: 'waiting', range: next.range, from: next.from, until: next.until }
        break
      case 'held':
        this.phase = { is: 'held', held: next.held }
        break
      case 'refused':
        this.phase = { is: 'refused', refused: next }
        break
    }
  }
}

export const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
export const text = (value: Uint8Array): string => new TextDecoder().decode(value)
