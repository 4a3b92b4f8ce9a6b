import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { controlSystems } from '../../../src/core/systems.ts'
import { isRead, openApiDocument } from '../../../src/server/api/openapi.ts'
import { entryPoint, type MainName, packageRoot } from '../../../src/platform/spawn.ts'

const operations = controlSystems.flatMap((system) => system.operations)
const routes = controlSystems.flatMap((system) => system.routes ?? [])
const document = openApiDocument(operations, routes) as {
  paths: Record<string, Record<string, unknown>>
  components: { schemas: Record<string, unknown>; responses: Record<string, unknown> }
}

test('every operation is one path: POST, and GET where it only reads', () => {
  expect(Object.keys(document.paths)).toHaveLength(operations.length + new Set(routes.map(({ path }) => path)).size)
  for (const operation of operations) {
    const path = document.paths[`/v1/${operation.name.replaceAll('.', '/')}`]
    expect(Object.keys(path ?? {}).toSorted(), operation.name).toEqual(isRead(operation) ? ['get', 'post'] : ['post'])
  }
})

test('what passes through to the leaf is described beside the operations', () => {
  expect(document.paths['/v1/scuba/tables/{table}/rows']?.['post']).toMatchObject({
    'x-muster-role': 'operator',
    parameters: [{ name: 'table', in: 'path' }, { name: 'ack', in: 'query', required: false }, { name: 'validate' }, { name: 'away' }],
  })
  expect(document.paths['/v1/scuba/board']?.['post']).toMatchObject({
    'x-muster-role': 'viewer',
    requestBody: { content: { 'application/json': { schema: { required: ['panels'] } } } },
    responses: { '200': { content: { 'application/json': { schema: { required: ['panels'] } } } } },
  })
  expect(document.paths['/v1/scuba/panel/stream']).toHaveProperty(['post', 'responses', '200', 'content', 'text/event-stream'])
})

test('every reference leads to a component', () => {
  const refs = [...JSON.stringify(document).matchAll(/"\$ref":"#\/components\/(schemas|responses)\/([^"]+)"/g)]
  expect(refs.length).toBeGreaterThan(operations.length)
  for (const [, kind, name] of refs) expect(document.components[kind as 'schemas' | 'responses'], name).toHaveProperty([name ?? ''])
})

test('names of operations are unique and of the form system.noun.verb', () => {
  const names = operations.map(({ name }) => name)
  expect(new Set(names).size).toBe(names.length)
  expect(names.filter((name) => !/^[a-z]+(\.[a-z-]+){1,3}$/.test(name))).toEqual([])
})

test('every program that is started by name is there, in the sources and in the bundle', () => {
  const names: MainName[] = ['server/main', 'agent/main', 'agent/mesh/proxy-main', 'server/scuba/leaf-main', 'server/scuba/engine-main']
  for (const name of names) {
    expect(existsSync(entryPoint(name)[1]), name).toBe(true)
    expect(existsSync(join(packageRoot(), 'dist', `${name}.js`)), name).toBe(true)
  }
})
