import { expect, test } from 'vitest'
import { splitSet } from '../../../../src/core/tw/entries/mesh.ts'
import { jobPurge, jobRun, jobScale, jobStop, meshFaultSet, nodeDrain, nodeRetire } from '../../../../src/core/tw/operations.ts'
import { MeshCache, meshSnapshot } from '../../../../src/core/tw/queries.ts'
import type { ReadDb } from '../../../../src/core/contracts/storage.ts'
import { newSimulatedFleet } from '../../../support/tw-fleet.ts'

const job = (name: string, count: number, env: Record<string, string> = {}) => ({
  job: name,
  groups: {
    api: {
      count,
      network: { ports: { http: {} } },
      services: { [name]: { port: 'http' } },
      main: { command: 'x', env, resources: { cpu: '50m', memory: '32MiB' }, health: { readiness: { http: '/ready' } } },
    },
  },
})

test('the kept mesh is what the state says after every step of jobs, updates, splits, faults, drains, losses and purges', () => {
  const fleet = newSimulatedFleet({ nodes: 4 })
  const { state } = fleet
  const cache = new MeshCache()
  let told = 0
  const check = (): void => {
    cache.apply(state.db, state.entries.slice(told))
    told = state.entries.length
    const { services, text } = cache.services(state.db)
    expect(services).toEqual(meshSnapshot(state.db).services)
    expect(text).toBe(JSON.stringify(services))
  }
  fleet.pass(500, check)
  state.run(jobRun, { spec: job('web', 3) })
  state.run(jobRun, { spec: job('shop', 2) })
  fleet.pass(6000, check)
  state.run(jobRun, { spec: job('web', 3, { A: '2' }) })
  fleet.pass(8000, check)
  const shares = { v1: 900_000, v2: 100_000 }
  state.append([splitSet.of({ service: 'web', shares, arms: {}, salt: 's', sticky: null, epoch: 3, reason: 'a test' })])
  const fault = { id: 'f', run: 'r', kind: 'delay' as const, share: 500_000, salt: 's', delayMs: 5, jitterMs: 0, status: 0, match: {} }
  state.run(meshFaultSet, { service: 'shop', add: [{ ...fault, untilMs: state.now() + 60_000, usersMax: 100 }], remove: [], reason: '' })
  fleet.pass(500, check)
  state.run(nodeDrain, { target: 'n2' })
  fleet.pass(6000, check)
  for (const node of fleet.nodes.values()) node.isSilent = node.identity.node === 'n3'
  fleet.pass(15_000, check)
  state.run(nodeRetire, { node: 'n3', reason: '' })
  fleet.pass(500, check)
  state.run(jobScale, { job: 'web', count: 5 })
  state.run(jobStop, { job: 'shop', reason: '' })
  fleet.pass(8000, check)
  state.run(jobPurge, { job: 'shop' })
  fleet.pass(500, check)
  expect(cache.services(state.db).services.find(({ name }) => name === 'web')?.endpoints.length).toBeGreaterThan(2)
})

test('only what an entry touched is read anew, and all of it after entries that were not told', () => {
  const fleet = newSimulatedFleet({ nodes: 2 })
  const { state } = fleet
  state.run(jobRun, { spec: job('web', 2) })
  state.run(jobRun, { spec: job('shop', 2) })
  fleet.pass(6000)
  const cache = new MeshCache()
  cache.apply(state.db, state.entries)
  let told = state.entries.length
  const read: string[] = []
  const db: ReadDb = {
    get: (sql, ...params) => state.db.get(sql, ...params),
    all: (sql, ...params) => {
      if (sql.includes('tw_task')) read.push(String(params[0]))
      return state.db.all(sql, ...params)
    },
  }
  cache.services(db)
  expect(read.splice(0)).toEqual(['shop', 'web'])
  cache.services(db)
  expect(read).toEqual([])
  state.run(jobScale, { job: 'web', count: 1 })
  cache.apply(state.db, state.entries.slice(told))
  told = state.entries.length
  cache.services(db)
  expect(read.splice(0)).toEqual(['web'])
  state.run(jobScale, { job: 'web', count: 2 })
  state.run(jobScale, { job: 'web', count: 3 })
  cache.apply(state.db, state.entries.slice(told + 1))
  cache.services(db)
  expect(read).toEqual(['shop', 'web'])
})
