import { expect, test } from 'vitest'
import { theRollout } from '../../src/cli/the-rollout.ts'

const r = (rollout: string, endedAtMs: number | null) => ({ rollout, service: `of-${rollout}`, endedAtMs })
const ask = (rollouts: object[], say: ((text: string) => void) | null): Promise<string> =>
  theRollout((async () => ({ data: { rollouts }, warnings: [] })) as never, say)

test('the only rollout in flight is meant where none is named, and people are told which before it changes', async () => {
  const said: string[] = []
  expect(await ask([r('r1', null), r('r2', 5)], (text) => said.push(text))).toBe('r1')
  expect(said).toEqual(['r1 of of-r1 is the rollout in flight'])
})

test('an ended rollout is meant only by a command that reads', async () => {
  expect(await ask([r('r2', 5)], null)).toBe('r2')
  await expect(ask([r('r2', 5)], () => {})).rejects.toMatchObject({ code: 'DEPLOY_ROLLOUT_UNKNOWN', exit: 3 })
})

test('with two nobody guesses', async () => {
  await expect(ask([r('r1', null), r('r2', null)], null)).rejects.toMatchObject({
    message: expect.stringContaining('r1 (of-r1), r2 (of-r2)'),
  })
})
