import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { statePaths } from '../../../../src/platform/paths.ts'
import { writeClickHouse } from '../../../../src/server/scuba/clickhouse/settings.ts'
import { ClickHouseServer, Gate, noClickHouse } from '../../../support/clickhouse.ts'
import { eventually } from '../../../support/eventually.ts'
import { newFleet } from '../../../support/fleet.ts'
import { Leaf, postTo } from '../leaf.ts'

const T = Math.floor(Date.now() / 3_600_000) * 3_600_000 - 3_600_000
const rows = (count: number, from = 0): Record<string, unknown>[] =>
  Array.from({ length: count }, (_, i) => ({ time: T + (from + i) * 10, n: from + i, text: `row ${from + i}`.padEnd(100, '.') }))

describe.skipIf(noClickHouse !== null)(`crashes around ClickHouse${noClickHouse === null ? '' : ` (skipped: ${noClickHouse})`}`, () => {
  const server = new ClickHouseServer()
  let gate: Gate
  let leaf: Leaf
  beforeAll(() => server.start())
  afterAll(() => server.remove())
  beforeEach(async () => {
    await server.ask('DROP DATABASE events', '')
    await server.ask('CREATE DATABASE events', '')
    gate = await Gate.to(server)
    leaf = new Leaf()
    writeClickHouse(leaf.dir, server.url.replace(`:${server.port}/`, `:${gate.port}/`))
    await leaf.start()
  })
  afterEach(async () => {
    await leaf.remove()
    gate.close()
  })

  const seen = async (): Promise<{ count: number; distinct: number; missing: string[] }> => {
    const { rows: answer, coverage } = await leaf.client.query('SELECT count(*), count(DISTINCT n) FROM events', { deadlineMs: 20_000 })
    return { count: Number(answer[0]?.[0]), distinct: Number(answer[0]?.[1]), missing: coverage.missing }
  }
  const panelled = async (): Promise<number | null | undefined> =>
    (await leaf.client.panel({ table: 'events', calc: ['count'], sinceMs: T, untilMs: T + 3_600_000, deadlineMs: 20_000 })).groups[0]
      ?.values['count']

  test('a seal that ClickHouse has whole counts after kill -9 of the leaf, though the manifest did not say so', async () => {
    await leaf.client.send('events', rows(3000))
    const held = new Promise<void>((resolve) => {
      gate.holds = (text) => text.includes('min(`time`)') && (resolve(), true)
    })
    void leaf.seal('events').catch(() => undefined)
    await held
    await leaf.end('SIGKILL')
    gate.holds = () => false
    const before = await server.ask('SELECT DISTINCT _seg FROM events')
    await leaf.start()
    expect(await seen()).toEqual({ count: 3000, distinct: 3000, missing: [] })
    expect(await panelled()).toBe(3000)
    await leaf.client.send('events', rows(10, 3000))
    await leaf.seal('events')
    expect(await seen()).toEqual({ count: 3010, distinct: 3010, missing: [] })
    expect(await server.ask(`SELECT count() FROM events WHERE _seg = ${before}`)).toBe('3000')
    expect(await server.ask('SELECT count() FROM events')).toBe('3010')
  })

  test('a seal that is there in part is done again under another number, and its rows count once', async () => {
    await leaf.client.send('events', rows(30_000))
    const held = new Promise<void>((resolve) => {
      // The head of the INSERT and some of its rows have gone.
      let pieces = 0
      gate.holds = (text) => text.includes('.......') && (pieces += 1) > 10 && (resolve(), true)
    })
    void leaf.seal('events').catch(() => undefined)
    await held
    await leaf.end('SIGKILL')
    gate.holds = () => false
    await leaf.start()
    expect(readFileSync(join(leaf.dir, 'manifest'), 'utf8')).toContain('"kind":"unsealed"')
    expect(await seen()).toEqual({ count: 30_000, distinct: 30_000, missing: [] })
    await leaf.seal('events')
    expect(await seen()).toEqual({ count: 30_000, distinct: 30_000, missing: [] })
    expect(await panelled()).toBe(30_000)
  })

  test('kill -9 of ClickHouse while it takes rows: they wait, answers say what is missing, and all is there once when it is back', async () => {
    await leaf.client.send('events', rows(5000))
    await leaf.seal('events')
    await leaf.client.send('events', rows(30_000, 5000))
    const dead = new Promise<void>((resolve) => {
      gate.holds = (text) => text.includes('INSERT INTO `events`') && (void server.end('SIGKILL').then(resolve), false)
    })
    const failed = await leaf.seal('events').then(
      () => null,
      (error: unknown) => String(error),
    )
    expect(failed).toContain('SCUBA_DOWN')
    await dead
    gate.holds = () => false
    // Ingest goes on.
    await leaf.client.send('events', rows(100, 35_000))
    const without = await seen()
    expect(without.count).toBe(30_100)
    expect(without.missing.join()).toContain('5000 rows that are in ClickHouse')
    expect(await panelled()).toBe(30_100)
    await server.start()
    await eventually('it is asked again', 60_000, async () => (await seen()).missing.length === 0)
    expect(await seen()).toEqual({ count: 35_100, distinct: 35_100, missing: [] })
    await leaf.seal('events')
    expect(await seen()).toEqual({ count: 35_100, distinct: 35_100, missing: [] })
    expect(await panelled()).toBe(35_100)
  })

  test('a ClickHouse that hangs costs one question its deadline, and the next ones only its rows', async () => {
    await leaf.client.send('events', rows(1000))
    await leaf.seal('events')
    await leaf.client.send('events', rows(50, 1000))
    server.signal('SIGSTOP')
    try {
      const first = await leaf.client
        .panel({ table: 'events', calc: ['sum:n'], sinceMs: T, untilMs: T + 3_600_000, deadlineMs: 1500 })
        .then(({ coverage }) => coverage.rows)
        .catch(({ code }: { code: string }) => code)
      expect(first === 'SCUBA_DEADLINE' || Number(first) < 1).toBe(true)
      const without = await seen()
      expect(without.count).toBe(50)
      expect(without.missing.join()).toContain('1000 rows that are in ClickHouse')
    } finally {
      server.signal('SIGCONT')
    }
    await eventually('it is asked again', 60_000, async () => (await seen()).missing.length === 0)
    expect(await seen()).toEqual({ count: 1050, distinct: 1050, missing: [] })
  })

  test('seals go to two servers in turn, questions to both; without one of them the other answers and takes what is sealed', async () => {
    const other = new ClickHouseServer()
    try {
      await other.start()
      await leaf.end('SIGKILL')
      writeClickHouse(leaf.dir, `${server.url},${other.url}`)
      await leaf.start()
      for (const from of [0, 1000, 2000]) {
        await leaf.client.send('events', rows(1000, from))
        await leaf.seal('events')
      }
      const [one, two] = [Number(await server.ask('SELECT count() FROM events')), Number(await other.ask('SELECT count() FROM events'))]
      expect([one + two, Math.min(one, two)]).toEqual([3000, 1000])
      expect(await seen()).toEqual({ count: 3000, distinct: 3000, missing: [] })
      expect(await panelled()).toBe(3000)
      await other.end('SIGKILL')
      await leaf.client.send('events', rows(500, 3000))
      expect((await seen()).count).toBe(one + 500)
      expect((await seen()).missing.join()).toContain(`${two} rows that are in ClickHouse`)
      expect((await leaf.client.health()).clickhouse?.away).toContain(`127.0.0.1:${other.port}`)
      await leaf.seal('events')
      expect(await server.ask('SELECT count() FROM events')).toBe(String(one + 500))
      expect(await panelled()).toBe(one + 500)
      await other.start()
      await eventually('all is there again', 20_000, async () => (await seen()).missing.length === 0)
      expect(await seen()).toEqual({ count: 3500, distinct: 3500, missing: [] })
      // In another order they would be taken for one another.
      await leaf.end('SIGKILL')
      writeClickHouse(leaf.dir, `${other.url},${server.url}`)
      await leaf.start()
      await leaf.client.send('events', rows(1, 9000))
      await expect(leaf.seal('events')).rejects.toThrow(/is of the leaf .*, not of/)
    } finally {
      await other.remove()
    }
  })

  test('`muster up --clickhouse`: what is sent is sealed there, and kill -9 of the leaf loses and doubles nothing', async () => {
    const fleet = newFleet()
    try {
      const up = await fleet.muster('up', '--nodes', '1', '--clickhouse', server.url, '--json')
      expect(up.exitCode, up.stdout + up.stderr).toBe(0)
      writeFileSync(
        join(fleet.home, 'rows.ndjson'),
        rows(2000)
          .map((row) => JSON.stringify(row))
          .join('\n'),
      )
      expect(await fleet.data('scuba', 'send', 'sent', 'rows.ndjson')).toMatchObject({ accepted: 2000 })
      const leafOf = async (): Promise<{ pid: number; clickhouse: unknown }> => (await fleet.data('scuba', 'leaves')).leaves[0].holds
      const { pid, clickhouse } = await leafOf()
      expect(clickhouse).toEqual({ where: `http://127.0.0.1:${server.port}/events`, away: null })
      const { scubaSocket } = statePaths('default', { MUSTER_STATE_DIR: fleet.root })
      expect((await postTo(scubaSocket, 'tables/sent/seal')).status).toBe(200)
      expect(await server.ask('SELECT count() FROM sent')).toBe('2000')
      const count = async (): Promise<unknown> => {
        const { json } = await fleet.muster('scuba', 'query', 'SELECT count(*), count(DISTINCT n) FROM sent', '--json')
        return [json?.data?.rows, json?.data?.coverage?.missing]
      }
      expect(await count()).toEqual([[[2000, 2000]], []])
      process.kill(pid, 'SIGKILL')
      await eventually('another leaf answers the same', 30_000, async () => JSON.stringify(await count()) === '[[[2000,2000]],[]]')
      expect((await fleet.muster('down')).exitCode).toBe(0)
    } finally {
      await fleet.end()
    }
  }, 120_000)
})
