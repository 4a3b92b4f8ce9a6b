import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { importCompose } from '../../../../src/core/tw/compose/import.ts'
import { splitWords } from '../../../../src/core/tw/compose/interpolate.ts'
import { jobSpecOf } from '../../../../src/core/tw/job-spec.ts'

/** The import of one file that names no other. */
const imports = (document: unknown, env: Record<string, string>, name: string, profiles?: readonly string[]) =>
  importCompose({ path: '/x/compose.yaml', document, env }, { compose: () => ({ problem: 'no file' }), text: () => null }, name, profiles)

const FILE = `
name: Shop_App
services:
  web:
    image: node:22
    command: node server.js --title "a b"
    environment:
      - PORT=3000
      - DB=\${DB_URL:-http://db.mesh}
      - PASSED_ON
      - NOT_THERE
    ports: ["8080:3000", "9000-9005:9000-9005"]
    depends_on: {db: {condition: service_healthy}}
    deploy:
      replicas: 3
      resources: {limits: {cpus: "0.5", memory: 128M}, reservations: {memory: 64M}}
      update_config: {parallelism: 1, order: start-first, delay: 10s}
      placement: {constraints: []}
    healthcheck: {test: ["CMD", "curl", "-f", "http://localhost:3000"], interval: 10s, retries: 3}
    restart: on-failure:3
    stop_grace_period: 20s
    volumes: ["./x:/x"]
  db:
    image: postgres:16
  job:
    command: ["sh", "-c", "echo $$HOME costs 5$$"]
    restart: "no"
volumes: {x: {}}
`

const imported = imports(parse(FILE), { PASSED_ON: 'yes' }, 'folder')

test('what is mapped is a valid job with the same meaning', () => {
  const result = jobSpecOf(imported.document)
  if (!result.ok) throw new Error(JSON.stringify(result.issues))
  const { spec } = result
  expect(spec.job).toBe('shop-app')
  expect(spec.groups.map((group) => group.name)).toEqual(['web', 'job'])
  expect(spec.groups[0]).toMatchObject({
    count: 3,
    maxUnavailable: { count: 0 },
    maxSurge: { count: 1 },
    uses: ['db'],
    services: [{ name: 'web', port: 'http' }],
    container: {
      command: ['node', 'server.js', '--title', 'a b'],
      env: { PORT: '{{port.http}}', DB: 'http://db.mesh', PASSED_ON: 'yes' },
      ports: { http: 0 },
      cpuMilli: 500,
      memoryBytes: 67_108_864,
      memoryMaxBytes: 134_217_728,
      restart: { attempts: 3, mode: 'fail' },
      stop: { timeoutMs: 20_000 },
      readiness: { kind: 'exec', command: ['curl', '-f', 'http://localhost:{{port.http}}'], intervalMs: 10_000 },
    },
  })
  expect(spec.groups[1]?.container).toMatchObject({ command: ['sh', '-c', 'echo $HOME costs 5$'], restart: { attempts: 0 } })
})

test('every key of the file is named: mapped, changed, or unsupported with a reason', () => {
  const status = new Map(imported.keys.map((key) => [key.key, key.status]))
  const web = Object.keys((parse(FILE) as { services: { web: object } }).services.web)
  for (const key of web)
    expect(
      [...status.keys()].some((name) => name.startsWith(`services.web.${key}`)),
      key,
    ).toBe(true)
  expect(status.get('services.web.image')).toBe('changed')
  expect(status.get('services.web.ports[0]')).toBe('changed')
  expect(status.get('services.web.ports[1]')).toBe('unsupported')
  expect(status.get('services.web.volumes')).toBe('unsupported')
  expect(status.get('services.web.deploy.update_config.delay')).toBe('unsupported')
  expect(status.get('services.web.deploy.placement')).toBe('unsupported')
  expect(status.get('services.db.image')).toBe('unsupported')
  expect(status.get('volumes')).toBe('unsupported')
  expect(imported.keys.every((key) => key.note.length > 0)).toBe(true)
})

const depending = (text: string, ...profiles: string[]) => {
  const result = imports(parse(text), {}, 'x', profiles)
  const job = jobSpecOf(result.document)
  if (!job.ok) throw new Error(JSON.stringify(job.issues))
  return { groups: job.spec.groups, status: new Map(result.keys.map(({ key, status }) => [key, status])) }
}

test('who depends on another waits for it as the condition says; what cannot be waited for is named', () => {
  const { groups, status } = depending(`
services:
  web: {command: w, depends_on: {db: {condition: service_healthy, restart: true}, cache: {}, seed: {condition: service_completed_successfully}, far: {}}}
  old: {command: o, depends_on: [db]}
  db: {command: d, healthcheck: {test: [CMD, "true"], start_period: 20s, retries: 5}}
  cache: {command: c}
  seed: {command: s}
  far: {image: x}
`)
  expect(groups.map(({ name, after }) => [name, after.map(({ group, until }) => `${group} ${until}`)])).toEqual([
    ['web', ['db healthy', 'cache started', 'seed completed']],
    ['old', ['db started']],
    ['db', []],
    ['cache', []],
    ['seed', []],
  ])
  expect(groups[0]?.uses).toEqual(['db', 'cache', 'seed', 'far'])
  const of = (key: string) => status.get(`services.${key}`)
  expect(of('web.depends_on.db')).toBe('mapped')
  expect(of('web.depends_on.db.restart')).toBe('unsupported')
  expect(of('web.depends_on.seed')).toBe('mapped')
  expect(of('web.depends_on.far')).toBe('unsupported')
  expect(of('db.healthcheck.start_period')).toBe('changed')
  expect(of('db.healthcheck.retries')).toBe('unsupported')
})

test('a service of profiles is in when one of them is on, and is named when it is left out', () => {
  const text = 'services: {web: {command: w, depends_on: [debug]}, debug: {command: d, profiles: [debug, dev]}}'
  const without = depending(text)
  expect(without.groups.map(({ name, after }) => [name, after.length])).toEqual([['web', 0]])
  expect(without.status.get('services.debug')).toBe('mapped')
  for (const profile of ['dev', '*'])
    expect(depending(text, profile).groups.map(({ name, after }) => [name, after.length])).toEqual([
      ['web', 1],
      ['debug', 0],
    ])
})

test('a required variable that is not set is a problem with its place and words', () => {
  const { problems } = imports(parse('services: {a: {command: "x ${TOKEN:?set TOKEN first} ${B?} ${C-}"}}'), { B: '' }, 'x')
  expect(problems).toEqual([{ path: 'services.a.command', message: 'set TOKEN first' }])
})

test('a fixed port that the program is never told stays fixed', () => {
  const { document } = imports(parse('services: {a: {command: nginx, ports: [{target: 80, published: "8080"}]}}'), {}, 'x')
  expect(document).toMatchObject({ groups: { a: { network: { ports: { http: { static: 80 } } } } } })
})

test('a file in which nothing can run gives no job', () => {
  expect(imports(parse('services: {a: {image: x}}'), {}, 'x').document).toBe(null)
  expect(imports(null, {}, 'x').document).toBe(null)
})

test('a command line is split as a shell would split it', () => {
  expect(splitWords(`a "b c" 'd "e"' f\\ g "" h"i"j`)).toEqual(['a', 'b c', 'd "e"', 'f g', '', 'hij'])
})
