import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import Database from 'better-sqlite3'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { refuse } from '../../../src/core/kernel/errors.ts'
import { distrusted } from '../../../src/server/state/distrusted-state.ts'
import type { StateMark } from '../../../src/server/state/mark-digests.ts'
import { eventually } from '../../support/eventually.ts'
import { MARK_EVERY, openFakeFleet, rowsOf, settled, take, type FakeFleet } from './fleet.ts'

let fleet: FakeFleet
beforeEach(async () => {
  fleet = await openFakeFleet(2)
  fleet.world.elect(0)
  await settled()
})
afterEach(() => fleet.close())

const control = (server: number) => fleet.controls[server] as FakeFleet['controls'][number]
/** Decided by the first server, and given to it alone. */
async function decide(key: string): Promise<void> {
  const answer = take(control(0), key, 's0')
  await settled()
  const [flight] = fleet.world.flights
  if (flight === undefined) throw new Error('nothing is under way')
  fleet.world.commit(flight)
  fleet.world.drop(flight)
  fleet.world.servers[0]?.give()
  expect(await answer).toMatchObject({ code: 'taken' })
}
function spoil(server: number, key: string): void {
  const db = new Database(fleet.dbFile(server))
  expect(db.prepare('UPDATE toy_taken SET times = 7 WHERE key = ?').run(key).changes).toBe(1)
  db.close()
}
const keys = (server: number): string[] => rowsOf(control(server)).map(({ key }) => key)
const timesOf = (server: number, key: string): number | undefined => rowsOf(control(server)).find((row) => row.key === key)?.times

test('at a mark all servers have the same digest, whether batches came one by one or all at once; a changed row makes another one', async () => {
  const marks: StateMark[][] = [[], []]
  for (const server of [0, 1]) control(server).copy.onMark((mark) => void marks[server]?.push(mark))
  for (let n = 1; n <= 2 * MARK_EVERY + 2; n += 1) {
    await decide(`k${n}`)
    if (n % MARK_EVERY === 0) await eventually('the mark', 5000, () => marks[0]?.at(-1)?.position === n)
  }
  expect(marks[0]?.map(({ position, rows }) => [position, rows])).toEqual([
    [4, 4],
    [8, 8],
  ])
  // It was away: those that are far back are not looked at.
  fleet.world.servers[1]?.give()
  await eventually('the mark', 5000, () => marks[1]?.length === 1)
  expect([marks[1]?.[0], keys(1).length]).toEqual([marks[0]?.[1], 10])

  spoil(1, 'k1')
  for (let n = 11; n <= 12; n += 1) await decide(`k${n}`)
  fleet.world.servers[1]?.give()
  await eventually('the marks', 5000, () => marks[0]?.at(-1)?.position === 12 && marks[1]?.at(-1)?.position === 12)
  expect(marks[1]?.at(-1)?.digest).not.toBe(marks[0]?.at(-1)?.digest)
})

test('a state that is wrong is not read or decided on, waits for another one, and that takes its place', async () => {
  for (const key of ['a', 'b', 'c']) await decide(key)
  fleet.world.servers[1]?.give()
  await settled()
  spoil(1, 'a')
  const { copy } = control(1)
  let behind = 0
  let anew = 0
  copy.onBehind(() => (behind += 1))
  copy.onAnew(() => (anew += 1))
  const reason = refuse('DELOS_STATE_DIFFERS', 'b: it differs')
  copy.setDistrusted(reason, { isWrong: true, agreed: 2 })
  await settled()
  expect([copy.distrust(), copy.refusal(), copy.isForced(), behind]).toEqual([reason, reason, true, 1])
  expect(distrusted(fleet.dbFile(1))).toEqual({ reason: 'b: it differs', agreed: 2, isWrong: true })
  await expect(control(1).submit({ actor: 'x' }, () => ({ entries: [], value: () => 1 }))).rejects.toBe(reason)
  await expect(control(1).readBarrier()).rejects.toBe(reason)

  // What is decided meanwhile is not lost on it.
  await decide('d')
  fleet.world.servers[1]?.give()
  const from = new Database(fleet.dbFile(0), { readonly: true })
  from.prepare('VACUUM INTO ?').run(`${fleet.dbFile(1)}.part`)
  from.close()
  await decide('e')
  fleet.world.servers[1]?.give()
  await copy.install(`${fleet.dbFile(1)}.part`, { position: 5, loglet: 0, slot: 0 })
  await settled()
  expect([copy.distrust(), copy.refusal(), anew, distrusted(fleet.dbFile(1))]).toEqual([null, null, 1, null])
  expect([keys(1), timesOf(1, 'a')]).toEqual([['a', 'b', 'c', 'd', 'e'], 1])
  expect(fleet.digests()[0]).toBe(fleet.digests()[1])
})

test('a process that begins with a state that was found wrong makes it anew, and believes no copy that may be as wrong', async () => {
  for (const key of ['a', 'b', 'c']) await decide(key)
  fleet.world.servers[1]?.give()
  await settled()
  spoil(1, 'a')
  const dir = `${fleet.dbFile(1)}.kept`
  mkdirSync(dir)
  for (const position of [2, 3]) writeFileSync(`${dir}/${position}.db`, 'a copy')
  control(1).copy.setDistrusted(refuse('DELOS_STATE_DIFFERS', 'b: it differs'), { isWrong: true, agreed: 2 })
  await settled()
  await fleet.restart(1)
  fleet.world.servers[1]?.give()
  await settled()
  expect([control(1).copy.distrust(), timesOf(1, 'a'), keys(1)]).toEqual([null, 1, ['a', 'b', 'c']])
  expect([existsSync(`${fleet.dbFile(1)}.unfit`), existsSync(`${dir}/2.db`), existsSync(`${dir}/3.db`)]).toEqual([false, true, false])
})

test('a state that may be the right one is not thrown away where no other one can be made: the server says so, and what to do', async () => {
  for (const key of ['a', 'b', 'c']) await decide(key)
  control(0).copy.setDistrusted(refuse('DELOS_STATE_SPLIT', 'all differ'), { isWrong: false, agreed: 0 })
  fleet.world.head = 3
  const note = `${fleet.dbFile(0)}.unfit`
  await expect(fleet.restart(0)).rejects.toMatchObject({ code: 'STATE_UNREADABLE', hint: expect.stringContaining(`remove ${note}`) })
  expect(existsSync(note)).toBe(true)
  // Who believes it says so.
  rmSync(note)
  await fleet.restart(0)
  expect(keys(0)).toEqual(['a', 'b', 'c'])
})

test('while nobody knows whose state is right its server decides, for the pager, and gives nothing to read; until it is known', async () => {
  await decide('a')
  const { copy } = control(0)
  copy.setDistrusted(refuse('DELOS_STATE_SPLIT', 'all differ'), { isWrong: false, agreed: 0 })
  expect([copy.distrust()?.code, copy.refusal(), copy.isBehind(), copy.isForced()]).toEqual(['DELOS_STATE_SPLIT', null, false, false])
  await decide('b')
  expect(distrusted(fleet.dbFile(0))).toMatchObject({ isWrong: false })
  copy.setTrusted()
  expect([copy.distrust(), distrusted(fleet.dbFile(0)), keys(0)]).toEqual([null, null, ['a', 'b']])
})
