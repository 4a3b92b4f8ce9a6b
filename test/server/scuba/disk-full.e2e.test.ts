import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { registrySchema } from '../../../src/core/scuba/registry.ts'
import { eventually } from '../../support/eventually.ts'
import { fillDisk } from '../delos/tiny-disk.ts'
import { Leaf } from './leaf.ts'

/** Whether a small file system of our own can be mounted. */
function mountSmall(): string | null {
  const dir = mkdtempSync(join(tmpdir(), 'scuba-full-'))
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=24m', 'tmpfs', dir], { stdio: 'ignore' })
    return dir
  } catch {
    rmSync(dir, { recursive: true, force: true })
    return null
  }
}

const dir = mountSmall()
const leaf = dir === null ? null : new Leaf(dir)

beforeAll(() => leaf?.start())
afterAll(async () => {
  await leaf?.remove()
  if (dir === null) return
  execFileSync('umount', [dir])
  rmSync(dir, { recursive: true, force: true })
})

test.skipIf(dir === null)(
  'on a disk that is 90 % full the oldest rows go before their time, held ones and those of the last hour stay, and the leaf says so (needs root and tmpfs)',
  { timeout: 60_000 },
  async () => {
    if (!leaf || dir === null) return
    const now = Date.now()
    const hoursAgo = (hours: number): number => now - hours * 3_600_000
    await leaf.client.putRegistry(
      registrySchema.parse({
        version: 1,
        holds: [{ id: 1, table: null, fromMs: hoursAgo(9), toMs: hoursAgo(7), sev: null, reason: 'a look' }],
      }),
    )
    for (const hours of [8, 6, 4, 0]) {
      const text = (): string => randomBytes(30_000).toString('hex')
      await leaf.client.send(
        'aged',
        Array.from({ length: 10 }, () => ({ time: hoursAgo(hours), hours, text: text() })),
      )
      await leaf.seal('aged')
    }
    const left = async (): Promise<unknown[]> => (await leaf.client.query('select distinct hours from aged order by 1')).rows.flat()
    expect(await left()).toEqual([0, 4, 6, 8])
    const empty = fillDisk(dir, 2_500_000)
    try {
      await eventually('the oldest are gone', 20_000, async () => (await left()).length < 4)
      await sleep(2500)
      // The oldest that no hold touches is enough.
      expect(await left()).toEqual([0, 4, 8])
      const { notes } = await leaf.client.observed()
      expect(notes).toMatchObject([{ table: 'aged', what: 'dropped', reason: 'disk', segments: 1, rows: 10 }])
    } finally {
      empty()
    }
  },
)

test.skipIf(dir === null)(
  'on a full disk rows are refused, queries go on, and what was acknowledged is there when there is room again (needs root and tmpfs)',
  { timeout: 60_000 },
  async () => {
    if (!leaf || dir === null) return
    await leaf.client.send('kept', [{ id: 0 }])
    await leaf.client.query('select count(*) from kept')
    const ballast = join(dir, 'ballast')
    const acknowledged = [0]
    let refused = 0
    const send = async (id: number): Promise<void> => {
      await leaf.client.send('kept', [{ id, text: 'x'.repeat(20_000) }]).then(
        () => acknowledged.push(id),
        (error: unknown) => {
          expect(error).toMatchObject({ code: 'SCUBA_DISK_FULL', exit: 6 })
          refused += 1
        },
      )
    }
    // Fills it to the last byte, so that the journal meets ENOSPC in the middle of a write before the watermark speaks.
    try {
      writeFileSync(ballast, Buffer.alloc(64 * 1024 * 1024))
    } catch {
      // It is full: what was wanted.
    }
    for (let id = 1; id <= 30; id += 1) await send(id)
    await sleep(1100)
    for (let id = 31; id <= 40; id += 1) await send(id)
    expect(refused).toBeGreaterThan(10)
    expect((await leaf.client.query('select 1')).rows).toEqual([[1]])
    const partial = await leaf.client.query('select count(*) from kept')
    expect(partial.rowsScanned).toBeGreaterThan(0)

    rmSync(ballast)
    await sleep(1500)
    await send(100)
    expect(acknowledged).toContain(100)
    expect((await leaf.client.query('select id from kept order by id')).rows.flat()).toEqual(acknowledged)
    await leaf.end('SIGKILL')
    await leaf.start()
    expect((await leaf.client.query('select id from kept order by id')).rows.flat()).toEqual(acknowledged)
  },
)
