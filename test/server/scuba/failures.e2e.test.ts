import { existsSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { scubaVerify } from '../../../src/core/scuba/operations/segments.ts'
import { Leaf } from './leaf.ts'

const leaf = new Leaf()

beforeAll(() => leaf.start())
afterAll(() => leaf.remove())

/** The one segment of a table with rows 1 … 5000, and one more row that is not sealed. */
async function sealedTable(table: string): Promise<string> {
  const before = new Set(readdirSync(join(leaf.dir, 'segments')))
  await leaf.client.send(
    table,
    Array.from({ length: 5000 }, (_, i) => ({ id: i + 1, text: `row ${i + 1} of many` })),
  )
  await leaf.seal(table)
  await leaf.client.send(table, [{ id: 5001, text: 'not sealed' }])
  const file = readdirSync(join(leaf.dir, 'segments')).find((name) => !before.has(name))
  if (file === undefined) throw new Error('no segment was made')
  return join(leaf.dir, 'segments', file)
}

describe('a segment that breaks while the leaf runs', () => {
  test.each([
    ['is gone', 'gone', (path: string) => rmSync(path)],
    ['is cut', 'cut', (path: string) => truncateSync(path, 1000)],
    [
      'has no end that can be read',
      'bent',
      (path: string) => {
        const bytes = readFileSync(path)
        bytes.fill(0xff, bytes.length - 40, bytes.length - 8)
        writeFileSync(path, bytes)
      },
    ],
  ])('that %s: SQL and panels answer with what is left, and say what is missing', async (_, name, breakFile) => {
    for (const way of ['query', 'panel'] as const) {
      const table = `${name}_${way}`
      breakFile(await sealedTable(table))
      const answer =
        way === 'query'
          ? await leaf.client.query(`select count(*), max(text) from ${table}`)
          : await leaf.client.panel({ table, calc: ['count', 'max:id'] })
      expect(answer.coverage.missing).toEqual([`${table}: 5000 rows of segments that are lost`])
      expect(answer.coverage.rows).toBeCloseTo(1 / 5001, 6)
      if ('rows' in answer) expect(answer.rows).toEqual([[1, 'not sealed']])
      await expect(leaf.client.query(`select count(*) from ${table}`, { require: 'full' })).rejects.toMatchObject({
        code: 'SCUBA_PARTIAL',
      })
    }
  })

  test('in a byte of its pages: verify finds it, and it is read no more; put back, it is found again', async () => {
    const path = await sealedTable('flipped')
    const good = readFileSync(path)
    const bad = Buffer.from(good)
    const at = Math.floor(good.length / 2)
    bad[at] = (bad[at] ?? 0) ^ 0x10
    writeFileSync(path, bad)
    expect(await leaf.client.do(scubaVerify, { table: 'flipped', rate: 1e9 })).toMatchObject({
      checked: 1,
      lost: [{ table: 'flipped', rows: 5000, reason: 'its checksum is not that of the manifest' }],
    })
    const partial = await leaf.client.query('select count(*) from flipped')
    expect(partial.rows).toEqual([[1]])
    expect(partial.coverage.rows).toBeLessThan(1)
    writeFileSync(path, good)
    expect(await leaf.client.do(scubaVerify, { table: 'flipped', rate: 1e9 })).toMatchObject({ found: 1, lost: [] })
    expect((await leaf.client.query('select count(*) from flipped')).rows).toEqual([[5001]])
  })
})

const LONG = 'select sum(a.range * b.range % 7) from range(1000000) a, range(1000000) b'

/** Of the engine that answers, once it does. */
async function enginePid(): Promise<number> {
  for (;;) {
    const { enginePid: pid, isEngineReady } = await leaf.client.health()
    if (isEngineReady && pid !== null) return pid
    await sleep(20)
  }
}

describe('a query of death', () => {
  test('that ends its engine twice is refused; rows come in all the while, and the next question is answered', async () => {
    await leaf.client.send('living', [{ id: 0 }])
    const failure = leaf.client.query(LONG, { deadlineMs: 20_000 }).then(
      () => null,
      (error: unknown) => error,
    )
    let sent = 0
    for (let death = 0; death < 2; death += 1) {
      await sleep(300)
      process.kill(await enginePid(), 'SIGSEGV')
      await leaf.client.send('living', [{ id: (sent += 1) }])
    }
    expect(await failure).toMatchObject({ code: 'SCUBA_DOWN', message: expect.stringContaining('died twice') as unknown })
    expect((await leaf.client.query('select count(*) from living')).rows).toEqual([[sent + 1]])
  })

  test('that nobody waits for any more is stopped at once, and leaves the processor to others', async () => {
    const controller = new AbortController()
    const asked = leaf.client.query(LONG, { deadlineMs: 30_000 }, controller.signal).catch(() => null)
    await sleep(300)
    controller.abort()
    await asked
    const pid = await enginePid()
    const ticks = (): number => Number(readFileSync(`/proc/${pid}/stat`, 'utf8').split(' ')[13])
    await sleep(500)
    const before = ticks()
    await sleep(1000)
    expect(ticks() - before).toBeLessThan(30)
  })

  test('does not outlive its leaf', async () => {
    const asked = leaf.client.query(LONG, { deadlineMs: 60_000 }).catch(() => null)
    await sleep(300)
    const pid = await enginePid()
    await leaf.end('SIGKILL')
    await asked
    await expect.poll(() => existsSync(`/proc/${pid}`), { timeout: 5000 }).toBe(false)
    await leaf.start()
  })
})
