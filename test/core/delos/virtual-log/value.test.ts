import { describe, expect, test } from 'vitest'
import { nextValue, planFor, type Intent } from '../../../../src/core/delos/virtual-log/plan.ts'
import { decodeValue, encodeValue, problemOf, successionProblem, type RegisterValue } from '../../../../src/core/delos/virtual-log/value.ts'
import { first } from './values.ts'

const after = (base: RegisterValue, intent: Intent, loglet: number, tail: number, lastRound = 0): RegisterValue => {
  const plan = planFor(base, intent, 1)
  if (plan.kind !== 'change') throw new Error(`${intent.kind} plans ${plan.kind}`)
  return nextValue(base, plan.change, { loglet, tail, lastRound })
}

const toEtcd: Intent = { kind: 'switch', to: 'etcd', config: { prefix: '/a/' } }

describe('the value of the register', () => {
  test('fields that this program does not know are kept in every object when it is written again', () => {
    const value = first(3)
    const strange = {
      ...value,
      futureField: { a: [1] },
      chain: value.chain.map((segment) => ({ ...segment, compression: 'zstd' })),
      servers: value.servers.map((server) => ({ ...server, zone: 'a' })),
      decider: { ...value.decider, term: 7 },
    }
    const read = decodeValue(encodeValue(strange))
    expect(read).toEqual(strange)
    if (read === null) return
    const next = after(read, toEtcd, 9, 42)
    expect(next).toMatchObject({ futureField: { a: [1] }, decider: { term: 7 } })
    expect(next.chain[0]).toMatchObject({ compression: 'zstd', end: 42 })
    expect(next.servers.every((server) => 'zone' in server)).toBe(true)
  })

  test('bytes that are no value are none, and so is a value whose chain has a hole', () => {
    expect(decodeValue(new TextEncoder().encode('{"version":1}'))).toBeNull()
    expect(decodeValue(new TextEncoder().encode('{'))).toBeNull()
    const value = after(first(3), toEtcd, 9, 42)
    const holed = { ...value, chain: value.chain.map((segment, i) => (i === 1 ? { ...segment, firstPosition: 43 } : segment)) }
    expect(problemOf(holed)).toMatch(/does not begin where the one before ends/)
    expect(decodeValue(encodeValue(holed))).toBeNull()
  })

  test('what was decided about a position stays: a successor changes no end, forgets no skip, no server and not the last segment', () => {
    const one = first(3)
    const two = after(one, toEtcd, 9, 42)
    const three = after(two, { kind: 'switch', to: 'quorum', config: {} }, 11, 50, 4)
    expect(successionProblem(one, two)).toBeNull()
    expect(successionProblem(two, three)).toBeNull()
    const moved = {
      ...three,
      chain: three.chain.map((each) => ({
        ...each,
        end: each.end === 42 ? 43 : each.end,
        firstPosition: each.firstPosition === 42 ? 43 : each.firstPosition,
      })),
    }
    expect(successionProblem(two, moved)).toMatch(/segment 9 was changed|end of segment 1 was changed/)
    expect(successionProblem(two, { ...three, chain: three.chain.slice(2) })).toMatch(/last segment is gone/)
    expect(successionProblem(two, { ...three, servers: three.servers.slice(1) })).not.toBeNull()
    const skipping = after(three, { kind: 'skip', position: 7, reason: 'poison' }, 0, 0)
    expect(successionProblem(skipping, { ...skipping, version: skipping.version + 1, skips: [] })).toMatch(/skip was forgotten/)
    expect(successionProblem(one, three)).toMatch(/does not follow/)
  })

  test('segments that are trimmed go at the front, and the rest is a successor', () => {
    const three = after(after(first(3), toEtcd, 9, 42), { kind: 'switch', to: 'quorum', config: {} }, 11, 50, 4)
    const plan = planFor(three, { kind: 'trim', position: 45 }, 1)
    expect(plan.kind).toBe('change')
    if (plan.kind !== 'change') return
    const trimmed = nextValue(three, plan.change, null)
    expect(trimmed.chain.map(({ loglet }) => loglet)).toEqual([9, 11])
    expect(successionProblem(three, trimmed)).toBeNull()
  })
})
