import { expect, test } from 'vitest'
import { genesis } from '../../../src/core/delos/virtual-log/genesis.ts'
import type { RegisterValue } from '../../../src/core/delos/virtual-log/value.ts'
import type { MusterError } from '../../../src/core/kernel/errors.ts'
import { createLogger } from '../../../src/platform/logger.ts'
import { compareStates, type ControlDigests } from '../../../src/server/delos/control-digests.ts'
import type { StateCopy } from '../../../src/server/state/control-log.ts'
import type { StateMark } from '../../../src/server/state/mark-digests.ts'
import { NO_STATE } from '../../support/no-state.ts'

const idOf = (name: string): string => name.codePointAt(0)?.toString(16).padStart(16, '0') as string
const selfOf = (name: string): bigint => BigInt(`0x${idOf(name)}`)

/** A server whose state is what the test says; what it announces is told to the others when the test says so. */
class Server {
  readonly name: string
  readonly digests: ControlDigests
  readonly told: [MusterError, { isWrong: boolean; agreed: number }][] = []
  trusted = 0
  readonly about = { schema: 7, skipped: [] as number[] }
  readonly announced: { what: string; body: () => unknown }[] = []
  readonly #listeners = new Map<string, (body: never) => void>()
  readonly #marks = new Set<(mark: StateMark) => void>()
  readonly #anew = new Set<() => void>()

  constructor(name: string, value: RegisterValue) {
    this.name = name
    const { about } = this
    const copy: StateCopy = {
      ...NO_STATE,
      get schema() {
        return about.schema
      },
      skipped: () => about.skipped,
      applied: () => 1234,
      setDistrusted: (...said) => void this.told.push(said),
      setTrusted: () => void (this.trusted += 1),
      onMark: (listener) => {
        this.#marks.add(listener)
        return () => this.#marks.delete(listener)
      },
      onAnew: (listener) => {
        this.#anew.add(listener)
        return () => this.#anew.delete(listener)
      },
    }
    this.digests = compareStates({
      chain: { value: () => value, onValue: () => () => undefined },
      copy,
      aside: {
        announce: (what, body) => void this.announced.push({ what, body }),
        onTell: (what, listener) => void this.#listeners.set(what, listener),
      },
      self: selfOf(name),
      onDistrusted: () => undefined,
      logger: createLogger(null),
    })
  }

  hear(what: string, body: unknown): void {
    this.#listeners.get(what)?.(JSON.parse(JSON.stringify(body)) as never)
  }

  mark(position: number, digest: number): void {
    for (const listener of this.#marks) listener({ position, digest, rows: 1 })
  }

  begin(): void {
    for (const listener of this.#anew) listener()
  }

  get listens(): boolean {
    return this.#marks.size > 0
  }

  get trouble(): string | undefined {
    return this.digests.troubles().get(selfOf(this.name))?.text
  }
}

function fleetOf(...names: string[]): Server[] {
  const value = genesis(
    '00000000000000aa',
    names.map((name) => ({ id: idOf(name), name, addresses: [] })),
  )
  return names.map((name) => new Server(name, value))
}
/** Everybody hears everybody, as each second. */
function tell(servers: Server[]): void {
  const said = servers.flatMap((from) => from.announced.map(({ what, body }) => ({ from, what, body: body() })))
  for (const to of servers) for (const { from, what, body } of said) if (from !== to) to.hear(what, body)
}
const codes = (servers: Server[]): string[][] => servers.map(({ told }) => told.map(([{ code }]) => code))
const kinds = ({ digests }: Server): string[] => [...digests.troubles()].map(([id, { kind }]) => `${id} ${kind}`)

test('the odd one of three is told so, everybody hears of it, and hears that it is over when its next state is that of the others', () => {
  const servers = fleetOf('a', 'b', 'c')
  const [a, , c] = servers as [Server, Server, Server]
  for (const server of servers) server.mark(1000, 5)
  tell(servers)
  expect(codes(servers)).toEqual([[], [], []])
  expect(a.digests.agreedPosition()).toBe(1000)
  for (const server of servers) server.mark(2000, server === c ? 66 : 6)
  tell(servers)
  tell(servers)
  expect(codes(servers)).toEqual([[], [], ['DELOS_STATE_DIFFERS']])
  expect(c.told[0]?.[1]).toEqual({ isWrong: true, agreed: 1000 })
  expect(c.told[0]?.[0].message).toBe('c: its state differs from that of a majority at batch 2000 of the control log (digest 66, theirs 6)')
  expect(kinds(a)).toEqual([`${selfOf('c')} odd`])

  c.begin()
  tell(servers)
  expect(kinds(a)).toEqual([`${selfOf('c')} anew`])
  expect(c.trouble).toBe(
    'its state was made anew after batch 1234, and was not compared since (before: its state differs from that of a majority at batch 2000 of the control log (digest 66, theirs 6))',
  )
  for (const server of servers) server.mark(3000, 8)
  tell(servers)
  tell(servers)
  expect([kinds(a), c.trouble, codes(servers)]).toEqual([[], undefined, [[], [], ['DELOS_STATE_DIFFERS']]])
})

test('when all three differ all are told, and one who began anew is not drawn in again by those who did not', () => {
  const value = fleetOf('a', 'b', 'c')
  const [a, b, c] = value as [Server, Server, Server]
  for (const [i, server] of value.entries()) server.mark(1000, i)
  tell(value)
  expect(codes(value)).toEqual([['DELOS_STATE_SPLIT'], ['DELOS_STATE_SPLIT'], ['DELOS_STATE_SPLIT']])
  expect(a.told[0]?.[1]).toEqual({ isWrong: false, agreed: 0 })

  // The first one starts again with what the log makes: as it happens that is what the second one has.
  const [again] = fleetOf('a', 'b', 'c') as [Server]
  const now = [again, b, c]
  tell(now)
  for (const server of now) server.mark(2000, server === c ? 9 : 4)
  tell(now)
  tell(now)
  tell(now)
  expect([again.told, b.trusted, b.trouble]).toEqual([[], 1, undefined])
  expect(codes([c])).toEqual([['DELOS_STATE_SPLIT', 'DELOS_STATE_DIFFERS']])
})

test('of two servers that differ nobody knows which is right; one alone compares with nobody and computes nothing', () => {
  const two = fleetOf('a', 'b')
  for (const [i, server] of two.entries()) server.mark(1000, i)
  tell(two)
  expect(codes(two)).toEqual([['DELOS_STATE_SPLIT'], ['DELOS_STATE_SPLIT']])
  expect(two.map(({ listens }) => listens)).toEqual([true, true])
  expect(fleetOf('a').map(({ listens }) => listens)).toEqual([false])
})

test.each([
  ['whose tables another version made', (server: Server) => (server.about.schema = 8)],
  ['that was made without a position that is skipped', (server: Server) => (server.about.skipped = [17])],
])('a state %s is not compared', (_what, change) => {
  const servers = fleetOf('a', 'b', 'c')
  change(servers[2] as Server)
  for (const server of servers) server.mark(1000, server === servers[2] ? 66 : 6)
  tell(servers)
  tell(servers)
  expect(codes(servers)).toEqual([[], [], []])
  expect(servers[0]?.digests.agreedPosition()).toBe(1000)
})
