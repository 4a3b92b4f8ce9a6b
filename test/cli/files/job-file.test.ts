import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { parseJobFile } from '../../../src/cli/files/job-file.ts'
import { MusterError } from '../../../src/core/kernel/errors.ts'

function errorsOf(text: string, sets: string[] = []): string[] {
  try {
    parseJobFile(text, 'job.yaml', sets)
  } catch (error) {
    if (!(error instanceof MusterError)) throw error
    expect(error.code).toBe('TW_SPEC_INVALID')
    return error.message.split('\n').map((line) => line.trim())
  }
  return []
}

const VALID = `job: web
groups:
  api:
    count: 2
    network: {ports: {http: {}}}
    services: {web: {port: http}}
    main:
      command: [node, server.js]
      env: {PORT: "{{port.http}}"}
      health: {readiness: {http: /ready, port: http, interval: 1s}}
`

test('every template is a valid job', () => {
  const folder = join(import.meta.dirname, '../../../templates/jobs')
  const files = readdirSync(folder)
  expect(files).toEqual(expect.arrayContaining(['batch.yaml', 'cron.yaml', 'gpu.yaml', 'service.yaml', 'system.yaml']))
  for (const file of files) expect(parseJobFile(readFileSync(join(folder, file), 'utf8'), file).spec.groups.length).toBe(1)
})

test('all errors are told at once, each with its line and column and the nearest valid key', () => {
  const text = `job: Web
groups:
  api:
    cuont: 3
    network: {ports: {http: {}}}
    services:
      web: {port: htp}
    main:
      comand: [x]
      resources: {cpu: lots, memory: 64}
      health: {readiness: {http: ready, port: http}}
`
  expect(errorsOf(text)).toEqual([
    'job.yaml:1:6 a name has a-z, 0-9 and -, at most 63, and starts and ends with a letter or digit',
    'job.yaml:4:5 unknown key `cuont`; did you mean `count`?',
    'job.yaml:8:5 `command` is missing',
    'job.yaml:9:7 unknown key `comand`; did you mean `command`?',
    'job.yaml:10:24 "lots" is not an amount of cpu such as 500m or 2',
    'job.yaml:10:38 expected string, found number 64',
    'job.yaml:11:34 a path starts with /',
  ])
})

test('a port that is named but not defined is told where it is named', () => {
  expect(errorsOf(VALID.replace('{web: {port: http}}', '{web: {port: htp}}'))).toEqual([
    'job.yaml:6:28 the group has no port `htp`; did you mean `http`?',
  ])
  expect(errorsOf(VALID.replace('{{port.http}}', '{{port.admin}}'))).toEqual([
    'job.yaml:9:19 the group has no port `admin`; add it under network.ports',
  ])
})

test('keys and kinds of later are refused by name, not called unknown', () => {
  expect(errorsOf(VALID.replace('count: 2', 'autoscale: {min: 1}'))).toEqual(['job.yaml:4:5 `autoscale` is not supported yet'])
  expect(errorsOf(`kind: system\n${VALID}`)).toEqual(['job.yaml:5:12 a system job has one task per eligible node: leave count out'])
  expect(errorsOf(VALID.replace('    main:\n', '    main:\n      driver: docker\n'))).toEqual([
    'job.yaml:8:15 the driver is exec; docker is not supported yet',
  ])
})

test('a group that could never be updated is refused', () => {
  expect(errorsOf(VALID.replace('count: 2', 'availability: {max_unavailable: 0, max_surge: 0%}'))).toEqual([
    'job.yaml:4:19 max_unavailable and max_surge are both 0, so no task could ever be replaced',
  ])
})

test('broken YAML and a key given twice are told with line and column', () => {
  expect(errorsOf('job: web\ngroups: [')[0]).toMatch(/^job\.yaml:2:\d+ /)
  expect(errorsOf('job: web\njob: other\n')[0]).toMatch(/^job\.yaml:2:1 Map keys must be unique/)
  expect(errorsOf('')).toEqual(['job.yaml:1:1 a job file is a map that begins with `job: NAME`'])
})

test('--set lays values over the file, numbers as numbers, and its errors are told like those of the file', () => {
  expect(parseJobFile(VALID, 'job.yaml', ['groups.api.count=8', 'groups.api.main.env.A=b']).spec.groups[0]).toMatchObject({
    count: 8,
    container: { env: { A: 'b' } },
  })
  expect(errorsOf(VALID, ['groups.api.count=many'])).toEqual(['job.yaml:4:12 expected number, found string "many"'])
  expect(() => parseJobFile(VALID, 'job.yaml', ['nonsense'])).toThrow(/PATH=VALUE/)
})

test('defaults, units and shares become integers', () => {
  const { spec } = parseJobFile(VALID, 'job.yaml')
  expect(spec).toMatchObject({ job: 'web', kind: 'service', priority: 50 })
  expect(spec.groups[0]).toMatchObject({
    count: 2,
    maxUnavailable: { ppm: 100_000 },
    maxSurge: { ppm: 250_000 },
    minHealthyMs: 10_000,
    spread: [
      { attribute: 'region', targets: null, isHard: false },
      { attribute: 'node', targets: null, isHard: false },
    ],
    container: {
      cpuMilli: 100,
      memoryBytes: 134_217_728,
      memoryMaxBytes: 134_217_728,
      ports: { http: 0 },
      readiness: { kind: 'http', path: '/ready', port: 'http', intervalMs: 1000, timeoutMs: 2000 },
      stop: { signal: 'SIGTERM', timeoutMs: 30_000 },
    },
  })
})
