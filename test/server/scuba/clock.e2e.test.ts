import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { registrySchema } from '../../../src/core/scuba/registry.ts'
import { FAKETIME_LIBRARY, fakedClock } from '../../support/faketime.ts'
import { Leaf } from './leaf.ts'

const HOUR_MS = 3_600_000

const dir = mkdtempSync(join(tmpdir(), 'scuba-clock-'))
const clockFile = join(dir, 'clock')
const leaf = new Leaf()

const FAKED = fakedClock({ FAKETIME_TIMESTAMP_FILE: clockFile, FAKETIME_NO_CACHE: '1' })

/** The wall clock of the leaf and its engines leaps to so many seconds off ours; the steady clock goes on. */
async function leap(seconds: number): Promise<void> {
  writeFileSync(clockFile, `${seconds >= 0 ? '+' : ''}${seconds}`)
  await sleep(50)
}

beforeAll(async () => {
  if (FAKETIME_LIBRARY === undefined) return
  await leap(0)
  await leaf.start(true, [], FAKED)
})
afterAll(async () => {
  await leaf.remove()
  rmSync(dir, { recursive: true, force: true })
})

test.skipIf(FAKETIME_LIBRARY === undefined)(
  'a clock that leaps six hours back, forth and back again loses no row, adds none twice and drops none as too old (needs faketime)',
  { timeout: 60_000 },
  async () => {
    await leaf.client.putRegistry(
      registrySchema.parse({ version: 1, tables: { leapt: { version: 1, columns: { id: 'BIGINT' } } }, retention: { leapt: { days: 1 } } }),
    )
    let id = 0
    const sent: number[] = []
    for (const hours of [0, -6, 0, 6, 0]) {
      await leap(hours * 3600)
      for (let i = 0; i < 3; i += 1) {
        id += 1
        // Its own time is the true one.
        const body = JSON.stringify({ id, time: Date.now() })
        await leaf.client.send('leapt', body, { key: `row ${id}` })
        expect(await leaf.client.send('leapt', body, { key: `row ${id}` })).toMatchObject({ duplicate: true })
        sent.push(id)
      }
      await leaf.seal('leapt')
      expect((await leaf.client.query('select id from leapt order by id')).rows.flat()).toEqual(sent)
    }
    await leaf.client.send('leapt', '{"again":true}', { key: 'row 1' }).then(
      () => expect.fail('a key was forgotten'),
      (error: unknown) => expect(error).toMatchObject({ code: 'SCUBA_KEY_REUSED' }),
    )
    // What seemed to come from hours ahead is put at the leaf's time, and keeps its own beside it.
    const { rows } = await leaf.client.query(
      'select time_source, count(*), count(time_original) from leapt group by 1 order by 1 nulls first',
    )
    expect(rows).toEqual([
      [null, 12, 0],
      ['ahead', 3, 3],
    ])
    await leaf.end('SIGKILL')
    await leap(-6 * 3600)
    await leaf.start(true, [], FAKED)
    expect((await leaf.client.query('select id from leapt order by id')).rows.flat()).toEqual(sent)
    expect(
      (await leaf.client.query(`select count(*) from leapt`, { sinceMs: Date.now() - HOUR_MS, untilMs: Date.now() + 1000 })).rows,
    ).toEqual([[12]])
  },
)
