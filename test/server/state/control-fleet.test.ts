import { afterEach, beforeEach, expect, test } from 'vitest'
import { eventually } from '../../support/eventually.ts'
import type { Flight } from './fake-log.ts'
import { openFakeFleet, rowsOf, settled, take, type FakeFleet } from './fleet.ts'

let fleet: FakeFleet
beforeEach(async () => {
  fleet = await openFakeFleet(2)
})
afterEach(() => fleet.close())

const control = (server: number) => fleet.controls[server] as FakeFleet['controls'][number]
const flight = (n = 0): Flight => {
  const found = fleet.world.flights[n]
  if (found === undefined) throw new Error('nothing is under way')
  return found
}
const elect = async (server: number, others: 'told' | 'asleep' = 'told'): Promise<void> => {
  fleet.world.elect(server, others)
  await settled()
}
/** Commits what is under way first, and gives it to everybody. */
const commit = async (n = 0, isAnswered = true): Promise<void> => {
  const found = flight(n)
  fleet.world.commit(found, isAnswered)
  fleet.world.drop(found)
  for (const server of fleet.world.servers) server.give()
  await settled()
}
const keys = (server: number): string[] => rowsOf(control(server)).map(({ key }) => key)

test('what the leader decided is in the state of every server, and each tells of it', async () => {
  const told: number[] = []
  control(1).onEntries((entries) => void told.push(...entries.map(({ position }) => position)))
  await elect(0)
  const answer = take(control(0), 'a', 's0')
  await settled()
  expect(keys(1)).toEqual([])
  await commit()
  expect(await answer).toMatchObject({ code: 'taken' })
  expect([keys(0), keys(1), told, control(1).tail()]).toEqual([['a'], ['a'], [1], 2])
  expect(control(1).read(1, 10)).toEqual(control(0).read(1, 10))
})

test('a server that does not lead refuses, naming who does, and appends nothing', async () => {
  await elect(0)
  await expect(control(1).submit({ actor: 'x' }, () => ({ entries: [], value: () => 1 }))).rejects.toMatchObject({
    code: 'DELOS_NOT_LEADER',
    details: { leader: '0000000000000001' },
  })
  await expect(control(1).plan({ actor: 'x' }, () => ({ entries: [], value: () => 1 }))).rejects.toMatchObject({ code: 'DELOS_NOT_LEADER' })
  expect(fleet.world.flights).toEqual([])
})

test('a new leader decides only when its state has all that was committed before; what is asked meanwhile waits', async () => {
  await elect(0)
  const first = take(control(0), 'a', 's0')
  await settled()
  const found = flight()
  fleet.world.commit(found)
  fleet.world.drop(found)
  const changes: boolean[] = []
  control(1).onLead((isLeading) => void changes.push(isLeading))
  await elect(1)
  const second = take(control(1), 'a', 's1')
  await settled()
  expect([control(1).leads(), changes, fleet.world.flights]).toEqual([false, [], []])
  fleet.world.servers[1]?.give()
  expect(await second).toMatchObject({ code: 'DELOS_CONFLICT' })
  expect([control(1).leads(), changes]).toEqual([true, [true]])
  fleet.world.servers[0]?.give()
  expect(await first).toMatchObject({ code: 'taken' })
})

test('the batch of a leader that slept while another decided is void for everybody, and it says that it does not lead', async () => {
  await elect(0)
  const late = take(control(0), 'a', 's0')
  await settled()
  // It knows of nothing, and its batch is still on its way.
  await elect(1, 'asleep')
  const newer = take(control(1), 'a', 's1')
  await settled()
  fleet.world.servers[0]?.become({ isLeader: false, leader: 2n })
  await commit(1)
  expect(await newer).toMatchObject({ code: 'taken' })
  await commit(0)
  expect(await late).toMatchObject({ code: 'DELOS_NOT_LEADER' })
  for (const server of [0, 1]) expect(rowsOf(control(server))).toMatchObject([{ key: 'a', by: 's1', times: 1 }])
  expect(control(0).tail()).toBe(2)
})

test('what turns out to be decided on older state is decided again by a server that leads, refusals too', async () => {
  await elect(0)
  const answers = [take(control(0), 'mine', 's0'), take(control(0), 'a', 's0')]
  await settled()
  await elect(1, 'asleep')
  const other = take(control(1), 'a', 's1')
  await settled()
  await commit(1)
  // The first try comes after all, and takes the place that the second one was for.
  await elect(0)
  await commit(0)
  await commit(1)
  // The second one comes last of all, and changes nothing.
  await commit(0)
  expect(fleet.world.flights.length).toBe(0)
  expect((await Promise.all(answers)).map(({ code }) => code)).toEqual(['taken', 'DELOS_CONFLICT'])
  expect(await other).toMatchObject({ code: 'taken' })
  for (const server of [0, 1]) {
    expect(rowsOf(control(server)).map(({ key, by, is_fresh }) => [key, by, is_fresh])).toEqual([
      ['a', 's1', 1],
      ['mine', 's0', 1],
    ])
  }
})

test('an outcome that was unknown is known when the batch is seen in the log, and it is not decided twice', async () => {
  await elect(0)
  const answer = take(control(0), 'a', 's0')
  await settled()
  const found = flight()
  fleet.world.fail(found, 'DELOS_OUTCOME_UNKNOWN')
  fleet.world.commit(found, false)
  await settled()
  for (const server of fleet.world.servers) server.give()
  expect(await answer).toMatchObject({ code: 'taken' })
  expect(rowsOf(control(0))).toMatchObject([{ key: 'a', times: 1 }])
})

test('a batch that nobody knows of is appended again as it is, and counts once though both come in', async () => {
  await elect(0)
  const answer = take(control(0), 'a', 's0')
  await settled()
  const first = flight()
  fleet.world.fail(first, 'DELOS_OUTCOME_UNKNOWN')
  await settled()
  const again = flight(1)
  expect(Buffer.compare(again.batch, first.batch)).toBe(0)
  await commit(0, false)
  expect(await answer).toMatchObject({ code: 'taken' })
  await commit(0)
  const next = take(control(0), 'b', 's0')
  await settled()
  await commit(0)
  expect(await next).toMatchObject({ code: 'taken' })
  for (const server of [0, 1])
    expect(rowsOf(control(server)).map(({ key, times }) => [key, times])).toEqual([
      ['a', 1],
      ['b', 1],
    ])
  // A batch that did not count takes no number, and is passed over by readers.
  expect(fleet.world.committed.length).toBe(3)
  expect(
    control(1)
      .read(1, 10)
      .map(({ position }) => position),
  ).toEqual([1, 2])
})

test('whoever gave up waiting says so, and the batch that comes after all counts before what was decided meanwhile', async () => {
  await elect(0)
  const first = take(control(0), 'a', 's0')
  await settled()
  const lost = flight()
  fleet.world.isCut = true
  fleet.world.fail(lost, 'DELOS_OUTCOME_UNKNOWN')
  await settled()
  fleet.world.fail(flight(1), 'DELOS_NO_QUORUM')
  expect(await first).toMatchObject({ code: 'DELOS_OUTCOME_UNKNOWN' })
  fleet.world.isCut = false
  const second = take(control(0), 'a', 'other')
  await settled()
  fleet.world.drop(flight(1))
  await commit(0)
  // Its own batch was for the place that the late one has now.
  expect(await second).toMatchObject({ code: 'DELOS_CONFLICT' })
  expect(rowsOf(control(1))).toMatchObject([{ key: 'a', by: 's0', times: 1 }])
})

test('without a majority nothing happened, and that is what is said', async () => {
  await elect(0)
  const answer = take(control(0), 'a', 's0')
  await settled()
  const found = flight()
  fleet.world.drop(found)
  fleet.world.fail(found, 'DELOS_NO_QUORUM')
  expect(await answer).toMatchObject({ code: 'DELOS_NO_QUORUM' })
  expect(keys(0)).toEqual([])
})

test('an old leader answers nothing from the past: neither a refusal nor that there is nothing to do', async () => {
  await elect(0)
  const first = take(control(0), 'a', 's0')
  await settled()
  await commit()
  await first
  await elect(1, 'asleep')
  const other = take(control(1), 'b', 's1')
  await settled()
  const found = flight()
  fleet.world.commit(found)
  fleet.world.drop(found)
  fleet.world.servers[1]?.give()
  expect(await other).toMatchObject({ code: 'taken' })
  let count: number | null = null
  const asked = control(0)
    .submit({ actor: 'x' }, () => ({ entries: [], value: (db) => db.all('SELECT key FROM toy_taken').length }))
    .then(({ value }) => (count = value))
  await settled()
  expect(count).toBe(null)
  fleet.world.servers[0]?.give()
  await asked
  expect(count).toBe(2)
})

test('a barrier waits for what was committed anywhere, and then it is in the state', async () => {
  await elect(0)
  const answer = take(control(0), 'a', 's0')
  await settled()
  const found = flight()
  fleet.world.commit(found)
  fleet.world.drop(found)
  let seen: string[] | null = null
  const reading = control(1)
    .readBarrier()
    .then(() => (seen = keys(1)))
  await settled()
  expect(seen).toBe(null)
  for (const server of fleet.world.servers) server.give()
  await Promise.all([reading, answer])
  expect(seen).toEqual(['a'])
})

test('while a server stands still, what others decide waits', async () => {
  await elect(0)
  let go: () => void = () => undefined
  const standing = control(1).quiesce(() => new Promise<void>((resolve) => (go = resolve)))
  await settled()
  const answer = take(control(0), 'a', 's0')
  await settled()
  await commit()
  expect(await answer).toMatchObject({ code: 'taken' })
  expect(keys(1)).toEqual([])
  go()
  await standing
  await settled()
  expect(keys(1)).toEqual(['a'])
})

test('a server that starts again goes on where its database ends', async () => {
  await elect(0)
  for (const key of ['a', 'b', 'c']) {
    const answer = take(control(0), key, 's0')
    await settled()
    await commit()
    await answer
  }
  await fleet.restart(1)
  fleet.world.servers[1]?.give()
  expect([keys(1), control(1).tail()]).toEqual([['a', 'b', 'c'], 4])
})

test('a position that is to be skipped while a batch is on its way: the batch is answered, and the state is made without the position', async () => {
  await elect(0)
  const first = take(control(0), 'a', 's0')
  await settled()
  await commit()
  await first
  const second = take(control(0), 'b', 's0')
  await settled()
  fleet.world.skips.push({ position: 1, reason: 'the test says so' })
  fleet.world.servers[0]?.hear()
  await commit()
  expect(await second).toMatchObject({ code: 'taken' })
  await settled()
  await eventually('a state without it', 5000, () => keys(0).join() === 'b')
  expect(control(0).copy.skipped()).toEqual([1])
})

test('a disk that takes no write keeps nobody waiting: what is behind it is refused, its own may still come, and then all goes on', async () => {
  await fleet.close()
  fleet = await openFakeFleet(1, 50)
  await elect(0)
  const asked = take(control(0), 'a', 'anna')
  await settled()
  const behind = take(control(0), 'b', 'bert')
  const controller = take(control(0), 'c', 'controller:toy')
  expect(await asked).toMatchObject({ code: 'DELOS_OUTCOME_UNKNOWN' })
  expect(await behind).toMatchObject({ code: 'DISK_STALLED' })
  expect(await take(control(0), 'd', 'dora')).toMatchObject({ code: 'DISK_STALLED' })
  // What is there can be read meanwhile.
  expect(keys(0)).toEqual([])
  await commit()
  await commit()
  expect(await controller).toMatchObject({ code: 'taken' })
  const after = take(control(0), 'e', 'emil')
  await settled()
  await commit()
  expect(await after).toMatchObject({ code: 'taken' })
  expect(keys(0)).toEqual(['a', 'c', 'e'])
})
