import { execFileSync, spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { parse } from 'yaml'
import { composeReader, composeSource } from '../../../../src/cli/files/compose-file.ts'
import { assemble } from '../../../../src/core/tw/compose/assemble.ts'
import { parseEnvFile } from '../../../../src/core/tw/compose/env-file.ts'
import { asMap } from '../../../../src/core/tw/compose/names.ts'
import type { InterpolationProblem } from '../../../../src/core/tw/compose/interpolate.ts'

const root = mkdtempSync(join(tmpdir(), 'muster-compose-'))
afterAll(() => rmSync(root, { recursive: true, force: true }))

let folders = 0
/** A folder of these files; gives the path of its compose.yaml. */
function project(files: Record<string, string>): string {
  const dir = join(root, `p${(folders += 1)}`)
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(dir, name)), { recursive: true })
    writeFileSync(join(dir, name), text)
  }
  return join(dir, 'compose.yaml')
}

const ENV = { PATH: process.env['PATH'], HOME: root, FROM_SHELL: 'shell' }

function assembled(path: string) {
  const problems: InterpolationProblem[] = []
  const document = assemble(composeSource(path, [], ENV), composeReader(ENV), problems)
  return {
    services: document['services'] as Record<string, Record<string, unknown>>,
    problems: problems.map((it) => `${it.path}: ${it.message}`),
  }
}

/** What docker-compose 1.29 knows, too. */
const SHOP = {
  '.env': 'TAG=7\nFROM_SHELL=file\n',
  'compose.yaml': `
version: "3.9"
services:
  web:
    extends: {file: base/common.yaml, service: app}
    command: serve --tag $TAG \${FROM_SHELL}
    env_file: [web.env]
    environment: {OWN: web, LEVEL: "\${LEVEL:-info}"}
    labels: [team=shop]
    cap_add: [NET_ADMIN, SYS_TIME]
    deploy: {resources: {limits: {memory: 128M}}}
  worker:
    extends: {service: web}
    command: work
`,
  'web.env':
    '# of the shop\nWEB=1\nBASE=file\nBOTH=web file\nFROM_SHELL\nexport QUOTED="a \\"b\\" # c"\nSINGLE=\'$no it\\\'s ${thing}\'\nTAIL=x # a comment\nEMPTY=\n',
  'base/common.yaml': `
version: "3.9"
services:
  app:
    image: app:1
    command: run
    env_file: common.env
    environment: [OWN=base, BASE=yes, LEVEL=debug]
    labels: {tier: front, team: none}
    cap_add: [NET_ADMIN]
    healthcheck: {test: ["CMD", "true"], interval: 5s}
    deploy: {replicas: 2, resources: {limits: {cpus: "0.5", memory: 64M}}}
`,
  'base/common.env': 'COMMON=1\nBOTH=common file\n',
}

test('extends lays a service over another, and files of variables stand below what is written', () => {
  const { services, problems } = assembled(project(SHOP))
  expect(problems).toEqual([])
  const environment = {
    ...{ COMMON: '1', BOTH: 'web file', WEB: '1', FROM_SHELL: null, QUOTED: 'a "b" # c', SINGLE: "$no it's ", TAIL: 'x', EMPTY: '' },
    ...{ OWN: 'web', BASE: 'yes', LEVEL: 'info' },
  }
  const web = {
    ...{
      image: 'app:1',
      command: 'serve --tag 7 shell',
      environment,
      labels: { tier: 'front', team: 'shop' },
      cap_add: ['NET_ADMIN', 'SYS_TIME'],
    },
    healthcheck: { test: ['CMD', 'true'], interval: '5s' },
    deploy: { replicas: 2, resources: { limits: { cpus: '0.5', memory: '128M' } } },
  }
  expect(services).toEqual({ web, worker: { ...web, command: 'work' } })
})

const hasDockerCompose = spawnSync('docker-compose', ['version']).status === 0

test.skipIf(!hasDockerCompose)('docker-compose says the same (skipped where docker-compose is not installed)', () => {
  const path = project(SHOP)
  const said = parse(execFileSync('docker-compose', ['-f', path, 'config'], { env: ENV, encoding: 'utf8' })) as {
    services: Record<string, Record<string, unknown>>
  }
  const { services } = assembled(path)
  for (const [name, service] of Object.entries(services)) {
    const theirs = said.services[name] ?? {}
    const own = service['environment'] as Record<string, unknown>
    // It writes what could be read again.
    const environment = Object.entries(asMap(theirs['environment'])).map(([key, value]) => [key, String(value).replaceAll('$$', '$')])
    expect(Object.fromEntries(environment)).toEqual({ ...own, FROM_SHELL: 'shell' })
    expect(theirs['command']).toBe(service['command'])
    expect(theirs['labels']).toEqual(service['labels'])
    expect([...(theirs['cap_add'] as string[])].sort()).toEqual(service['cap_add'])
    // It makes a number of the text.
    expect(theirs['deploy']).toEqual({ replicas: 2, resources: { limits: { cpus: 0.5, memory: '128M' } } })
  }
})

test('include brings the services of other files, each with the variables beside it', () => {
  const { services, problems } = assembled(
    project({
      '.env': 'NAME=main\n',
      'compose.yaml': 'include: [db/compose.yaml, {path: cache.yaml, env_file: cache.env}]\nservices: {web: {command: "$NAME"}}\n',
      'db/compose.yaml': 'services: {db: {command: "$NAME", env_file: db.env}}\n',
      'db/.env': 'NAME=db\n',
      'db/db.env': 'A=1\n',
      'cache.yaml': 'services: {cache: {command: "$NAME"}}\n',
      'cache.env': 'NAME=cache\n',
    }),
  )
  expect(problems).toEqual([])
  expect(services).toEqual({ web: { command: 'main' }, db: { command: 'db', environment: { A: '1' } }, cache: { command: 'cache' } })
})

test('what is not there, goes in a circle or cannot be extended is named, all of it', () => {
  const { problems } = assembled(
    project({
      'compose.yaml': `
include: [none.yaml, again.yaml]
services:
  a: {command: x, env_file: [{path: gone.env, required: false}, lost.env]}
  b: {command: x, extends: {service: c}}
  c: {command: x, extends: {service: b}}
  d: {command: x, extends: {service: nobody}}
  e: {command: x, extends: {service: f}}
  f: {command: x, depends_on: [a]}
`,
      'again.yaml': 'include: [compose.yaml]\nservices: {a: {command: y}}\n',
    }),
  )
  const folder = join(root, `p${folders}`)
  expect(problems.map((problem) => problem.replaceAll(`${folder}/`, '')).sort()).toEqual([
    'include[0]: compose.yaml includes the file that includes it',
    'include[0]: none.yaml: there is no such file',
    'include[1]: the service a of again.yaml is there already',
    'services.a.env_file: lost.env: there is no such file',
    'services.b.extends: it extends itself, by way of others',
    'services.c.extends: it extends itself, by way of others',
    'services.d.extends: there is no service nobody in compose.yaml',
    'services.e.extends: a service with `depends_on` cannot be extended',
  ])
})

test('a file of variables may use what stands before it', () => {
  expect(parseEnvFile('A=1\nB=${A}-${HOME_OF}-${C:-c}\n\n=x\n', { HOME_OF: 'h' })).toEqual({ A: '1', B: '1-h-c' })
})
