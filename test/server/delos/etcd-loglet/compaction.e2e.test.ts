import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Stretch } from '../../../../src/core/contracts/stretch.ts'
import { createLogger } from '../../../../src/platform/logger.ts'
import { readyEtcd } from '../../../../src/server/delos/etcd-loglet/etcd-stretch.ts'
import { newEtcd, type EtcdCluster } from '../../../support/etcd-cluster.ts'
import { eventually } from '../../../support/eventually.ts'
import { hasEtcd } from '../../../support/stores.ts'

describe.skipIf(!hasEtcd)('the etcd of a log (skipped where it is not installed)', () => {
  let etcd: EtcdCluster
  const open: Stretch[] = []

  beforeAll(async () => {
    etcd = await newEtcd(1)
    etcd.members[0]?.start()
    await etcd.healthy()
  }, 60_000)
  afterAll(async () => {
    for (const stretch of open) await stretch.close()
    await etcd.remove()
  })

  /** Appends ten batches and trims three times; gives the revisions at which each trim was asked for. */
  async function trimmed(prefix: string, more: object): Promise<number[]> {
    const options = { first: 1, lastRound: 0, self: 1, isOpener: true, servers: () => new Map([[1, 11n]]), onFatal: () => undefined }
    const stretch = readyEtcd({ endpoints: etcd.urls, prefix, ...more }, 1).open({ ...options, log: createLogger(null) })
    open.push(stretch)
    await eventually('it leads', 20_000, () => stretch.role().isLeader)
    const revisions: number[] = []
    for (let i = 1; i <= 10; i += 1) {
      await stretch.append(new Uint8Array(28).fill(i))
      if (i % 3 !== 0) continue
      revisions.push(revisionOf())
      await stretch.trim(i)
    }
    return revisions
  }
  const revisionOf = (): number =>
    (JSON.parse(etcd.ctl('get', 'nothing', '-w', 'json')) as { header: { revision: number } }).header.revision
  const isReadable = (revision: number): boolean => {
    try {
      etcd.ctl('get', 'theirs', '--rev', String(revision))
      return true
    } catch (error) {
      expect(String(error)).toContain('has been compacted')
      return false
    }
  }

  test('keeps the revisions of all others, unless it is said to be this log’s alone: then it forgets what was below the trim before', async () => {
    etcd.ctl('put', 'theirs', '1')
    const shared = await trimmed('/shared/kv', {})
    expect(shared.map(isReadable)).toEqual([true, true, true])
    const own = await trimmed('/own/kv', { compacts: true })
    // The first two trims lie before the second, up to which the third lets the etcd forget.
    expect(own.map(isReadable)).toEqual([false, false, true])
    expect(isReadable(shared[2] as number)).toBe(false)
    expect(etcd.ctl('get', 'theirs', '--print-value-only').trim()).toBe('1')
  }, 120_000)
})
