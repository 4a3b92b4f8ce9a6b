import { expect, test } from 'vitest'
import { Senders, worstSender } from '../../../src/core/scuba/rows/senders.ts'

const T = 1_790_000_000_000
const MINUTE = 60_000

test("a sender's clock is as far off as its newest rows say; old rows among them do not count, and after minutes nothing is known", () => {
  const senders = new Senders()
  senders.saw('ahead', T + 3 * MINUTE, T, 1)
  senders.saw('right', T - 200, T, 10)
  senders.saw('right', T - 3_600_000, T + 1000, 5)
  expect(senders.list(T + MINUTE)).toEqual([
    { sender: 'ahead', skewMs: 3 * MINUTE, rows: 1, lastMs: T },
    { sender: 'right', skewMs: -200, rows: 15, lastMs: T + 1000 },
  ])
  expect(worstSender(senders.list(T))?.sender).toBe('ahead')
  // Its clock was put right: what it said before is forgotten.
  for (let at = 1; at <= 11; at += 1) senders.saw('ahead', T + at * MINUTE - 100, T + at * MINUTE, 1)
  expect(senders.list(T + 11 * MINUTE)).toEqual([{ sender: 'ahead', skewMs: -100, rows: 12, lastMs: T + 11 * MINUTE }])
  expect(worstSender(senders.list(T + 11 * MINUTE))).toBeNull()
})

test('of very many senders those are forgotten that sent nothing for longest', () => {
  const senders = new Senders()
  for (let n = 0; n < 1100; n += 1) senders.saw(`s${n}`, T + n, T, 1)
  const listed = senders.list(T)
  expect(listed).toHaveLength(100)
  expect(listed[0]).toMatchObject({ sender: 's1099', skewMs: 1099 })
})
