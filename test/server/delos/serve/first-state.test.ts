import { expect, test } from 'vitest'
import { awaitFirstState } from '../../../../src/server/delos/serve/first-state.ts'
import { eventually } from '../../../support/eventually.ts'

test('a server with an empty directory answers nothing before the log says that it has everything, however often that fails first', async () => {
  let asked = 0
  const barrier = Promise.withResolvers<void>()
  const state = awaitFirstState(
    {
      readBarrier: () => {
        asked += 1
        return asked < 3 ? Promise.reject(new Error('no leader')) : barrier.promise
      },
    },
    true,
  )
  expect(state.refusal()).toMatchObject({ code: 14 })
  await eventually('it is asked again', 20_000, () => asked === 3)
  expect(state.refusal()).toMatchObject({ code: 14 })
  barrier.resolve()
  await barrier.promise
  expect(state.refusal()).toBeNull()
  state.stop()
})

test('one that has rows answers at once', () => {
  const state = awaitFirstState({ readBarrier: () => Promise.reject(new Error('never asked')) }, false)
  expect(state.refusal()).toBeNull()
})
