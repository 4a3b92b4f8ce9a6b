import { afterEach, expect, test } from 'vitest'
import { nextValue, planFor, type Intent, type MemberChange } from '../../../../src/core/delos/virtual-log/plan.ts'
import { genesis } from '../../../../src/core/delos/virtual-log/genesis.ts'
import { presentServers, type RegisterValue } from '../../../../src/core/delos/virtual-log/value.ts'
import { checkMembers, type ServerHealth } from '../../../../src/core/delos/virtual-log/members.ts'
import { createLogger } from '../../../../src/platform/logger.ts'
import { fleetMembers, type FleetMembers, type FleetMembersOptions } from '../../../../src/server/delos/membership/fleet-members.ts'

const ids = ['a', 'b', 'c'].map((name) => name.charCodeAt(0).toString(16).padStart(16, '0'))
const [A, B, C] = ids as [string, string, string]
const idOf = (hex: string): bigint => BigInt(`0x${hex}`)

/** A log whose register takes every change at once, and that says so, and may be told to refuse. */
function register(): {
  part: FleetMembersOptions['kv']
  value: () => RegisterValue
  refuses: { problem: string | null }
  changes: Intent[]
} {
  let value = genesis('00000000000000aa', [{ id: A, name: 'a', addresses: [] }])
  const refuses = { problem: null as string | null }
  const changes: Intent[] = []
  const health = (): Map<number, ServerHealth> =>
    new Map(
      presentServers(value).map(({ server }) => [
        server,
        { isReachable: true, lagBatches: 0, missingBatches: 0, syncP99Ms: 0, clockOffMs: 0, features: [], position: 1000 },
      ]),
    )
  const change = async (intent: Intent, guard: (base: RegisterValue) => string | null = () => null): Promise<object> => {
    const problem = refuses.problem ?? guard(value)
    if (problem !== null) return { kind: 'refused', problem }
    const plan = planFor(value, intent, 1)
    if (plan.kind === 'refused') return plan
    if (plan.kind === 'nothing') return { kind: 'done', value }
    changes.push(intent)
    value = nextValue(value, plan.change, plan.change.segment === null ? null : { loglet: value.version + 50, tail: 10, lastRound: 1 })
    return { kind: 'done', value }
  }
  const promote = async (which: readonly bigint[]): Promise<null> => {
    const found = presentServers(value).filter(({ id }) => which.includes(idOf(id)))
    await change({ kind: 'members', changes: found.map(({ server }) => ({ kind: 'promote', server })) })
    return null
  }
  const remove = async (which: bigint): Promise<null> => {
    const found = presentServers(value).find(({ id }) => idOf(id) === which)
    await change({ kind: 'members', changes: [{ kind: 'remove', server: found?.server ?? 0 }] })
    return null
  }
  const problems = (base: RegisterValue, wanted: readonly MemberChange[]): string[] => checkMembers(base, wanted, health(), true).problems
  const members = { health, problems, promote, remove, stop: () => undefined }
  return { part: { log: { value: () => value, change }, members } as never, value: () => value, refuses, changes }
}

let both: FleetMembers | null = null
afterEach(() => both?.stop())

function fleet(): { control: ReturnType<typeof register>; kv: ReturnType<typeof register>; members: FleetMembers } {
  const [control, kv] = [register(), register()]
  both = fleetMembers({ control: control.part, kv: kv.part, leads: () => true, logger: createLogger(null) })
  return { control, kv, members: both }
}

const rolesIn = (value: RegisterValue): string[] =>
  presentServers(value).map(({ id, role }) => `${id === A ? 'a' : id === B ? 'b' : 'c'} ${role}`)

test('a server is let into both logs, once, however often it asks', async () => {
  const { control, kv, members } = fleet()
  const asked = { id: B, name: 'b', address: '10.0.0.2:2380', isVoter: false }
  const registers = await members.letIn(asked)
  expect([rolesIn(registers.control), rolesIn(registers.kv)]).toEqual([
    ['a voter', 'b learner'],
    ['a voter', 'b learner'],
  ])
  await members.letIn(asked)
  expect([control.changes.length, kv.changes.length]).toEqual([1, 1])
  await expect(members.letIn({ ...asked, id: C })).rejects.toMatchObject({ code: 'DELOS_RECONFIGURE_REFUSED' })
})

test('what became of one log becomes of the other by itself, when the server that changed it died in between', async () => {
  const { control, kv, members } = fleet()
  kv.refuses.problem = 'its server is away'
  const letIn = members.letIn({ id: B, name: 'b', address: '10.0.0.2:2380', isVoter: true })
  letIn.catch(() => undefined)
  await new Promise((resolve) => setTimeout(resolve, 300))
  expect([rolesIn(control.value()), rolesIn(kv.value())]).toEqual([['a voter', 'b pending'], ['a voter']])
  kv.refuses.problem = null
  expect(rolesIn((await letIn).kv)).toEqual(['a voter', 'b pending'])
})

test('an even number of voters is refused with the reason, unless it is asked for', async () => {
  const { control, kv, members } = fleet()
  await members.letIn({ id: B, name: 'b', address: '10.0.0.2:2380', isVoter: false })
  expect(await members.promote([idOf(B)])).toMatchObject({ text: expect.stringContaining('2 voters survive 0 failures') })
  expect(rolesIn(control.value())).toEqual(['a voter', 'b learner'])
  await members.letIn({ id: C, name: 'c', address: '10.0.0.3:2380', isVoter: false })
  expect(await members.promote([idOf(B), idOf(C)])).toBeNull()
  expect([rolesIn(control.value()), rolesIn(kv.value())]).toEqual([
    ['a voter', 'b voter', 'c voter'],
    ['a voter', 'b voter', 'c voter'],
  ])
  expect(await members.remove(idOf(C))).toBeNull()
  expect(rolesIn(kv.value())).toEqual(['a voter', 'b voter'])
})
