import { describe, expect, test } from 'vitest'
import { newDriver, ship } from './driver.ts'

test('a good release reaches 100 %, and its rollout reads as a transcript', () => {
  const driver = newDriver()
  ship(driver)
  driver.seconds(90, (row) => row.ended_at !== null)
  console.log(driver.transcript().join('\n'), driver.fleet.state.now()-driver.rollout().at)
  expect(driver.rollout().state).toBe('succeeded')
})
test('bad', () => {
  const driver = newDriver()
  driver.conduct = (v) => v === 1 ? {} : { fails: 0.05 }
  ship(driver)
  driver.seconds(90, (row) => row.ended_at !== null)
  console.log(driver.transcript().join('\n'), driver.fleet.state.now()-driver.rollout().at, driver.rollout().cause_text)
})
