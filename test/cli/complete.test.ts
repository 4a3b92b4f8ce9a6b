import { expect, test } from 'vitest'
import { complete, GROUP_TASKS_SQL, NAMES_MAX, NAMES_SQL, type CompletionTable } from '../../src/cli/complete.ts'
import { controlSystems } from '../../src/core/systems.ts'
import { jobRun } from '../../src/core/tw/operations.ts'
import { newState } from '../support/state.ts'
import { newSimulatedFleet } from '../support/tw-fleet.ts'

const commands: CompletionTable = {
  explain: { summary: 'explains', flags: [], args: [{ name: 'code' }] },
  'tw:ps': {
    summary: 'tasks',
    flags: [
      { name: 'output', char: 'o', takesValue: true, options: ['json', 'name'], description: 'how' },
      { name: 'all', takesValue: false, description: '' },
    ],
    args: [{ name: 'job' }],
  },
  'tw:job:run': { summary: 'runs', flags: [{ name: 'node', takesValue: true, description: '' }], args: [{ name: 'file' }] },
}
const names = (kind: string) =>
  kind === 'job'
    ? [
        { value: 'web', description: 'running' },
        { value: 'db', description: '' },
      ]
    : kind === 'node'
      ? [{ value: 'n1', description: '' }]
      : []
const values = (...words: string[]): string[] => complete(words, commands, names).map(({ value }) => value)

test('topics and commands come first, then names from the state', () => {
  expect(values('')).toEqual(['explain', 'tw'])
  expect(values('tw', '')).toEqual(['job', 'ps'])
  expect(values('tw', 'j')).toEqual(['job'])
  expect(values('tw', 'ps', '')).toEqual(['db', 'web'])
  expect(values('tw', 'ps', 'w')).toEqual(['web'])
  expect(values('tw', 'ps', 'web', '')).toEqual([])
})

test('flags, their values, and names of flags that take one', () => {
  expect(values('tw', 'ps', '--')).toEqual(['--all', '--output'])
  expect(values('tw', 'ps', '-o', '')).toEqual(['json', 'name'])
  expect(values('tw', 'ps', '--output=j')).toEqual(['--output=json'])
  expect(values('tw', 'job', 'run', '--node', '')).toEqual(['n1'])
  expect(values('tw', 'ps', '--all', '')).toEqual(['db', 'web'])
})

test('what a command means by a word goes before what it means everywhere', () => {
  const own = (kind: string) => (kind === 'tw:ps:job' ? [{ value: 'own', description: '' }] : names(kind))
  expect(complete(['tw', 'ps', ''], commands, own).map(({ value }) => value)).toEqual(['own'])
})

test('what does not exist offers nothing', () => {
  expect(values('nonsense', '')).toEqual([])
})

test.each(Object.entries(NAMES_SQL))('names of a %s come from tables that exist', (_kind, sql) => {
  expect(newState(controlSystems).db.all(`SELECT value, description FROM (${sql}) LIMIT ${NAMES_MAX}`)).toEqual([])
})

test('of a task whose group is typed, its group is asked alone', () => {
  const fleet = newSimulatedFleet({ nodes: 2 })
  fleet.pass(500)
  for (const job of ['web', 'db'])
    fleet.state.run(jobRun, {
      spec: { job, groups: { api: { count: 2, main: { command: 'x', resources: { cpu: '100m', memory: '64MiB' } } } } },
    })
  fleet.pass(1000)
  const rows = fleet.state.db.all<{ value: string }>(GROUP_TASKS_SQL, 'web', 'api')
  expect(rows.map(({ value }) => value).sort()).toEqual(['web/api[0]', 'web/api[1]'])
})
