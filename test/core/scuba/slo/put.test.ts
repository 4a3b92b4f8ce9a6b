import { expect, test } from 'vitest'
import { scubaSloPut } from '../../../../src/core/scuba/operations/slo.ts'
import { controlSystems } from '../../../../src/core/systems.ts'
import { newState } from '../../../support/state.ts'

test('objectives that are put again as they are stay what is measured: nothing is logged, and none begins anew', () => {
  const state = newState(controlSystems)
  const file = { service: 'web', objectives: [{ availability: '99.9%', good: 'status < 500' }] }
  const other = { service: 'login', objectives: [{ error_rate: '< 0.2%', bad: 'status >= 500' }] }
  state.run(scubaSloPut, { files: [file] })
  const before = state.entries.length
  expect(state.run(scubaSloPut, { files: [file] })).toEqual({ services: ['web'] })
  expect(state.entries.length).toBe(before)
  state.run(scubaSloPut, { files: [file, other] })
  expect(state.entries.slice(before)).toMatchObject([{ body: { file: { service: 'login' } } }])
  state.run(scubaSloPut, { files: [{ ...file, window: '7d' }] })
  expect(state.entries.length).toBe(before + 2)
})
