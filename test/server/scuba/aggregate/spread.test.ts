import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { spread } from '../../../../src/server/scuba/aggregate/spread.ts'

const targets = (count: number, others: readonly string[] = []): { peer: string; others: readonly string[] }[] =>
  Array.from({ length: count }, (_, at) => ({ peer: `leaf-${at}`, others }))

test('what has not answered when the time is over is missing, and is told to stop', async () => {
  let stopped = false
  const { answers, missing } = await spread(
    targets(2),
    (peer, signal) => {
      if (peer === 'leaf-0') return Promise.resolve(1)
      signal.addEventListener('abort', () => (stopped = true))
      return new Promise(() => undefined)
    },
    { deadlineMs: 50 },
  )
  expect(answers).toEqual([{ peer: 'leaf-0', by: 'leaf-0', value: 1 }])
  expect(missing.map(({ peer }) => peer)).toEqual(['leaf-1'])
  expect(stopped).toBe(true)
})

test('the last tenth is asked again at whoever can answer for it, and the first answer of each counts once', async () => {
  const asked: string[] = []
  const { answers, missing } = await spread(
    targets(20, ['copy']),
    async (peer, signal) => {
      asked.push(peer)
      if (peer === 'copy') return 'of the copy'
      await sleep(peer === 'leaf-7' ? 2000 : 5, undefined, { signal })
      return 'own'
    },
    { deadlineMs: 5000 },
  )
  expect(missing).toEqual([])
  expect(answers).toHaveLength(20)
  expect(answers.filter(({ value }) => value === 'of the copy').map(({ peer }) => peer)).toContain('leaf-7')
  expect(asked.filter((peer) => peer === 'copy').length).toBeLessThanOrEqual(2)
})

test('one that fails is asked again at once, and is missing only when nobody else can answer', async () => {
  const ask = async (peer: string): Promise<string> => {
    if (peer.startsWith('leaf')) throw new Error('away')
    return peer
  }
  expect(await spread(targets(3, ['copy']), ask, { deadlineMs: 1000 })).toMatchObject({ answers: [{}, {}, {}], missing: [] })
  const { missing } = await spread(targets(2), ask, { deadlineMs: 1000 })
  expect(missing.map(({ error }) => (error as Error).message)).toEqual(['away', 'away'])
})

test('one that takes longer than it should is asked again elsewhere, also when it is the only one', async () => {
  const stopped: string[] = []
  const ask = async (peer: string, signal: AbortSignal): Promise<string> => {
    signal.addEventListener('abort', () => stopped.push(peer))
    if (peer === 'leaf-0') await sleep(5000, undefined, { signal })
    return peer
  }
  const started = performance.now()
  const { answers } = await spread(targets(1, ['copy']), ask, { deadlineMs: 4000, againMs: () => 30 })
  expect(answers).toEqual([{ peer: 'leaf-0', by: 'copy', value: 'copy' }])
  expect(performance.now() - started).toBeLessThan(1000)
  expect(stopped).toContain('leaf-0')
  // Who answers in time is asked once.
  const asked: string[] = []
  await spread(
    targets(3, ['copy']),
    (peer) => {
      asked.push(peer)
      return sleep(20, peer)
    },
    { deadlineMs: 4000, againMs: () => 500 },
  )
  expect(asked).not.toContain('copy')
})
