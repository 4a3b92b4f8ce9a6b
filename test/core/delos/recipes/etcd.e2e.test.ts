import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { barrier, leaveBarrier } from '../../../../src/core/delos/recipes/etcd/barrier.ts'
import { campaign, resign } from '../../../../src/core/delos/recipes/etcd/election.ts'
import { joinGroup } from '../../../../src/core/delos/recipes/etcd/group.ts'
import { lock, sharedLock } from '../../../../src/core/delos/recipes/etcd/lock.ts'
import { leaveQueue } from '../../../../src/core/delos/recipes/etcd/queue.ts'
import { releasePermits, semaphore } from '../../../../src/core/delos/recipes/etcd/semaphore.ts'
import { sequentialKey } from '../../../../src/core/delos/recipes/etcd/sequence.ts'
import type { Next } from '../../../../src/core/delos/recipes/etcd/step.ts'
import { eventually } from '../../../support/eventually.ts'
import { missing, startRealEtcd, type RealEtcd } from './real-etcd.ts'
import { bytes } from './world.ts'

const held = <State, Held>(next: Next<State, Held>): Held => {
  if (next.do !== 'held') throw new Error(`it does not hold: ${next.do}`)
  return next.held
}

describe.skipIf(missing !== null)(`recipes on a real etcd${missing === null ? '' : ` (${missing})`}`, () => {
  let etcd: RealEtcd
  beforeAll(async () => {
    etcd = await startRealEtcd()
  }, 60_000)
  afterAll(() => etcd.stop())

  test('etcdctl lock and our lock exclude each other, in the order of asking', { timeout: 60_000 }, async () => {
    const theirs = etcd.etcdctl('lock', 'db')
    await eventually('etcdctl holds the lock', 20_000, () => theirs.output().startsWith('db/'))
    const lease = await etcd.grant()
    const ours = lock('db', lease)
    expect(await etcd.run(ours)).toMatchObject({ do: 'wait', range: { key: theirs.output().trim(), range_end: '' }, until: 'deleted' })
    const later = etcd.etcdctl('lock', 'db')
    theirs.child.kill('SIGINT')
    await theirs.ended
    const turn = held(await etcd.run(ours))
    expect(later.output(), 'it comes after us').toBe('')
    await etcd.commit(leaveQueue(turn))
    await eventually('etcdctl holds the lock', 20_000, () => later.output().startsWith('db/'))
    later.child.kill('SIGINT')
    await later.ended
  })

  test('etcdctl lock waits for those who share the lock', { timeout: 60_000 }, async () => {
    const sharing = [held(await etcd.run(sharedLock('rw', await etcd.grant()))), held(await etcd.run(sharedLock('rw', await etcd.grant())))]
    const theirs = etcd.etcdctl('lock', 'rw')
    const late = sharedLock('rw', await etcd.grant())
    await eventually('who comes after etcdctl waits for it', 20_000, async () => {
      const next = await etcd.run(late)
      if (next.do === 'held') await etcd.commit(leaveQueue(next.held))
      return next.do === 'wait'
    })
    for (const turn of sharing) {
      expect(theirs.output()).toBe('')
      await etcd.commit(leaveQueue(turn))
    }
    await eventually('etcdctl holds the lock', 20_000, () => theirs.output().startsWith('rw/'))
    theirs.child.kill('SIGINT')
    await theirs.ended
    held(await etcd.run(late))
  })

  test('etcdctl elect and our campaign are one election', { timeout: 60_000 }, async () => {
    const theirs = etcd.etcdctl('elect', 'job', 'theirs')
    await eventually('etcdctl leads', 20_000, () => theirs.output().includes('theirs'))
    const ours = campaign('job', await etcd.grant(), bytes('ours'))
    expect((await etcd.run(ours)).do).toBe('wait')
    theirs.child.kill('SIGINT')
    await theirs.ended
    const turn = held(await etcd.run(ours))
    const observer = etcd.etcdctl('elect', '-l', 'job')
    await eventually('etcdctl sees our value', 20_000, () => observer.output().includes('ours'))
    observer.child.kill('SIGINT')
    await observer.ended
    expect((await etcd.commit(resign(turn))).succeeded).toBe(true)
  })

  test('a semaphore, a barrier, a group and a sequence do there what they do here', { timeout: 60_000 }, async () => {
    const [a, b, c] = [await etcd.grant(), await etcd.grant(), await etcd.grant()]
    const first = held(await etcd.run(semaphore('pool', a, 2)))
    expect((await etcd.run(semaphore('pool', b, 2, 2))).do).toBe('wait')
    expect((await etcd.run(semaphore('pool', c, 3))).do).toBe('refused')
    await etcd.commit(releasePermits(first))
    expect(held(await etcd.run(semaphore('pool', b, 2, 2))).permits).toBe(2)
    expect((await etcd.run(semaphore('pool', c, 2))).do).toBe('wait')
    await etcd.revoke(b)
    held(await etcd.run(semaphore('pool', c, 2)))

    expect((await etcd.run(barrier('b', a, 2))).do).toBe('wait')
    const [second, one] = [held(await etcd.run(barrier('b', c, 2))), held(await etcd.run(barrier('b', a, 2)))]
    expect((await etcd.run(leaveBarrier(second))).do).toBe('wait')
    held(await etcd.run(leaveBarrier(one)))
    expect((await etcd.run(barrier('b', a, 2))).do, 'a new round').toBe('wait')

    expect(held(await etcd.run(joinGroup('g', 'n1', a, bytes('x')))).key).toBe('g/n1')
    expect(await etcd.run(joinGroup('g', 'n1', c, bytes('y')))).toMatchObject({ do: 'refused', why: 'taken' })

    for (const number of [0, 1]) expect(held(await etcd.run(sequentialKey('q', 'n', bytes(''), 0n))).number).toBe(number)
  })
})
