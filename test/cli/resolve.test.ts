import { expect, test } from 'vitest'
import { guess, resolveCommand } from '../../src/cli/resolve.ts'
import { editDistance } from '../../src/core/kernel/edit-distance.ts'

const ids = ['deploy:start', 'explain', 'tw:job:list', 'tw:job:run', 'tw:node:ls', 'tw:ps', 'scuba:alert:rm']

test('the longest name that the words spell is the command; what follows are its arguments', () => {
  expect(resolveCommand(['tw', 'job', 'run', 'a.yaml', '--plan'], ids)).toEqual({
    kind: 'command',
    id: 'tw:job:run',
    argv: ['a.yaml', '--plan'],
  })
  expect(resolveCommand(['explain', 'PLAN_STALE'], ids)).toEqual({ kind: 'command', id: 'explain', argv: ['PLAN_STALE'] })
})

test('ls and list, rm and remove mean the same everywhere', () => {
  expect(resolveCommand(['tw', 'job', 'ls'], ids)).toMatchObject({ kind: 'command', id: 'tw:job:list' })
  expect(resolveCommand(['tw', 'node', 'list'], ids)).toMatchObject({ kind: 'command', id: 'tw:node:ls' })
  expect(resolveCommand(['scuba', 'alert', 'remove', 'x'], ids)).toEqual({ kind: 'command', id: 'scuba:alert:rm', argv: ['x'] })
})

test('a topic alone is a topic, and a wrong word below it is a mistake with guesses', () => {
  expect(resolveCommand(['tw', 'job'], ids)).toEqual({ kind: 'topic', id: 'tw:job' })
  expect(resolveCommand(['tw', 'job', '--help'], ids)).toEqual({ kind: 'topic', id: 'tw:job' })
  expect(resolveCommand(['tw', 'job', 'rum', 'a.yaml'], ids)).toEqual({ kind: 'unknown', typed: 'tw job rum', guesses: ['tw job run'] })
})

test('a name whose front was forgotten is guessed', () => {
  expect(guess('job run', ids)).toEqual(['tw job run'])
  expect(resolveCommand(['job', 'run', 'a.yaml'], ids)).toMatchObject({ kind: 'unknown' })
})

test('a half-typed name is guessed: its last words, its first and last, its beginning, a topic, or help', () => {
  expect(resolveCommand(['node', 'ls', 'x'], ids)).toMatchObject({ guesses: ['tw node ls'] })
  expect(guess('tw run', ids)).toContain('tw job run')
  expect(guess('dep', ids)).toEqual(['deploy'])
  expect(guess('alert', ids)).toEqual(['scuba alert'])
  expect(guess('hlep', ids)).toEqual(['help'])
})

test('two wrong letters of two are no slip', () => {
  expect(guess('kv', ['up', 'tw:ps'])).toEqual([])
})

test('nothing far away is guessed', () => {
  expect(guess('zzzzzzzz', ids)).toEqual([])
})

test('edit distance counts a swap of neighbours as one', () => {
  expect(editDistance('expalin', 'explain')).toBe(1)
  expect(editDistance('', 'abc')).toBe(3)
})
