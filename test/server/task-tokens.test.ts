import { expect, test } from 'vitest'
import { createTaskTokens, mayAskAs } from '../../src/server/tw/task-tokens.ts'

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

test('a task has the same token at every server of the key, and another one elsewhere', async () => {
  const [one, two, other] = [
    createTaskTokens(async () => 'key'),
    createTaskTokens(async () => 'key'),
    createTaskTokens(async () => 'another'),
  ]
  expect(one.of(17)).toBeNull()
  for (const tokens of [two, other]) tokens.of(1)
  await settled()
  const token = one.of(17) ?? ''
  expect(two.of(17)).toBe(token)
  expect(two.find(token)).toEqual({ actor: 'task:17', role: 'operator' })
  expect(other.find(token)).toBeNull()
  expect(two.find(token.replace('task_17_', 'task_18_'))).toBeNull()
  expect(two.find(`${token}x`)).toBeNull()
  expect(two.find('muster_abc')).toBeNull()
})

test('a task may ask what is planned for it and answer, and nothing else', () => {
  const task = { actor: 'task:17', role: 'operator' as const }
  expect(mayAskAs(task, '/v1/tw/op/answer')).toBe(true)
  expect(mayAskAs(task, '/v1/tw/op/force')).toBe(false)
  expect(mayAskAs({ actor: 'user:anna', role: 'operator' }, '/v1/tw/op/force')).toBe(true)
})
