import { describe, expect, test } from 'vitest'
import { caughtUp, checkMembers, survives, type ServerHealth } from '../../../../src/core/delos/virtual-log/members.ts'
import { nextValue, planFor, type MemberChange } from '../../../../src/core/delos/virtual-log/plan.ts'
import { lastSegment, serversIn, type RegisterValue } from '../../../../src/core/delos/virtual-log/value.ts'
import { first, idOf } from './values.ts'

const fine: ServerHealth = { isReachable: true, lagBatches: 0, missingBatches: 0, syncP99Ms: 1, clockOffMs: 0, features: [], position: 100 }
const health = (count: number, but: Record<number, Partial<ServerHealth>> = {}): Map<number, ServerHealth> =>
  new Map(Array.from({ length: count }, (_, i) => [i + 1, { ...fine, ...but[i + 1] }]))

const change = (base: RegisterValue, changes: MemberChange[], tail = 100): RegisterValue => {
  const plan = planFor(base, { kind: 'members', changes }, 1)
  if (plan.kind !== 'change') throw new Error(`plans ${JSON.stringify(plan)}`)
  return nextValue(base, plan.change, plan.change.segment === null ? null : { loglet: base.version + 100, tail, lastRound: 3 })
}

const add = (server: number, role: 'learner' | 'pending' = 'learner'): MemberChange => {
  return { kind: 'add', id: idOf(server), name: `s${server}`, addresses: [], role }
}

describe('from one server to three', () => {
  const alone = first(1)
  const learning = change(change(alone, [add(2)]), [add(3)])

  test('learners receive what a quorum of the one voter decides, and one promotion of both makes one of three, decided by all from then on', () => {
    expect(lastSegment(learning)).toMatchObject({ kind: 'quorum', config: { voters: [1], learners: [2, 3] } })
    expect(learning.decider).toEqual({ kind: 'file', server: 1 })
    const three = change(learning, [
      { kind: 'promote', server: 2 },
      { kind: 'promote', server: 3 },
    ])
    expect(lastSegment(three)).toMatchObject({ kind: 'quorum', firstPosition: 100, config: { voters: [1, 2, 3], learners: [] } })
    expect(three.decider).toEqual({ kind: 'quorum', members: [1, 2, 3] })
  })

  test('a lone server that is left goes back to a file', () => {
    const alone = change(learning, [
      { kind: 'remove', server: 2 },
      { kind: 'remove', server: 3 },
    ])
    expect(lastSegment(alone)).toMatchObject({ kind: 'file', config: { server: 1 } })
  })

  test('two voters are refused with the reason, unless they are asked for', () => {
    const promote: MemberChange[] = [{ kind: 'promote', server: 2 }]
    expect(checkMembers(learning, promote, health(3)).problems).toEqual([
      '2 voters survive 0 failures, as 1 do, and there is one more to fail',
    ])
    expect(checkMembers(learning, promote, health(3), true).problems).toEqual([])
  })
})

describe('promoting', () => {
  const base = { ...change(change(first(3), [add(4)]), [add(5)]), features: [{ name: 'wide-keys', since: 1 }] }
  const knowing = (but: Record<number, Partial<ServerHealth>>): Map<number, ServerHealth> => {
    return new Map(
      [...health(5, but)].map(([server, each]) => [
        server,
        { ...each, features: each.features.length > 0 ? each.features : ['wide-keys'] },
      ]),
    )
  }
  const both: MemberChange[] = [
    { kind: 'promote', server: 4 },
    { kind: 'promote', server: 5 },
  ]

  test('is refused for a server that is silent, behind, slow, off in time or too old', () => {
    expect(checkMembers(base, both, knowing({})).problems).toEqual([])
    const cases: [Partial<ServerHealth>, RegExp][] = [
      [{ isReachable: false }, /does not answer/],
      [{ lagBatches: 1001 }, /1001 batches behind/],
      [{ lagBatches: 3, missingBatches: 2 }, /not taken in yet 2 batches/],
      [{ syncP99Ms: 51 }, /syncs in 51 ms/],
      [{ clockOffMs: -501 }, /clock of server 4 .* is -501 ms off/],
      [{ features: ['other'] }, /does not know wide-keys/],
    ]
    for (const [but, text] of cases) expect(checkMembers(base, both, knowing({ 4: but })).problems[0]).toMatch(text)
  })

  test('wants a reachable majority of the new voters with one to spare', () => {
    expect(checkMembers(base, both, knowing({ 1: { isReachable: false } })).problems).toEqual([])
    const two = checkMembers(base, both, knowing({ 1: { isReachable: false }, 2: { isReachable: false } }))
    expect(two.problems).toEqual(['of 5 voters 3 would be reachable and 4 are wanted: no answer from 1, 2'])
    expect([two.before.survives, two.after.survives]).toEqual([1, 2])
  })

  test('a voter that was added and never came up is no voter, and becomes one only when it has caught up', () => {
    const pending = change(first(3), [add(4, 'pending')])
    expect(serversIn(pending, 'voter')).toEqual([1, 2, 3])
    expect(lastSegment(pending).config).toMatchObject({ voters: [1, 2, 3], learners: [4] })
    expect(pending.decider).toEqual({ kind: 'quorum', members: [1, 2, 3] })
    expect(caughtUp(pending, health(3))).toEqual([])
    expect(caughtUp(pending, health(4, { 4: { lagBatches: 5000 } }))).toEqual([])
    expect(caughtUp(pending, health(4))).toEqual([4])
  })
})

describe('removing', () => {
  test('is refused if the rest has no reachable majority', () => {
    const remove: MemberChange[] = [{ kind: 'remove', server: 3 }]
    expect(checkMembers(first(3), remove, health(3, { 2: { isReachable: false } }), true).problems[0]).toMatch(
      /1 would be reachable and 2 are wanted/,
    )
    expect(checkMembers(first(3), remove, health(3, { 3: { isReachable: false } }), true).problems).toEqual([])
  })

  test('of so many that what a majority chose could be only with them is refused', () => {
    const two: MemberChange[] = [
      { kind: 'remove', server: 2 },
      { kind: 'remove', server: 3 },
    ]
    expect(checkMembers(first(3), two, health(3)).problems[0]).toMatch(/would lose too many of its servers at once/)
  })

  test('of the server with an old file waits until the others have read it to its end', () => {
    const learning = change(change(first(1), [add(2)]), [add(3)])
    const three = change(learning, [
      { kind: 'promote', server: 2 },
      { kind: 'promote', server: 3 },
    ])
    const remove: MemberChange[] = [{ kind: 'remove', server: 1 }]
    expect(checkMembers(three, remove, health(3, { 2: { position: 99 } }), true).problems[0]).toBe(
      'the other voters have not read loglet 1 to its end at 100 yet',
    )
    expect(checkMembers(three, remove, health(3), true).problems).toEqual([])
  })

  test('a removed server keeps its number, its id never comes back, and it is told so', () => {
    const gone = change(first(3), [{ kind: 'remove', server: 3 }])
    expect(planFor(gone, { kind: 'members', changes: [add(3)] }, 1)).toMatchObject({ kind: 'refused' })
    expect(change(gone, [add(9)]).servers.at(-1)).toMatchObject({ server: 4, id: idOf(9) })
  })
})

test('a change of addresses needs no other loglet', () => {
  const next = change(first(3), [{ kind: 'update', server: 2, addresses: ['http://new:2380'] }])
  expect(next.chain).toHaveLength(1)
  expect(next.servers[1]?.addresses).toEqual(['http://new:2380'])
})

test('an odd number of voters survives what one more does', () => {
  expect([1, 2, 3, 4, 5, 6, 7].map(survives)).toEqual([0, 0, 1, 1, 2, 2, 3])
})
