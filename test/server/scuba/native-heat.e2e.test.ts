import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { Leaf } from './leaf.ts'

const leaf = new Leaf()
afterAll(() => leaf.remove())

const ROWS = 60_000
const COLUMNS = Array.from({ length: 30 }, (_, column) => `d${column}`)
const startMs = Math.floor(Date.now() / 3_600_000) * 3_600_000 - 3_600_000
const range = { sinceMs: startMs, untilMs: startMs + 3_600_000 }
/** Averages are made of all rows each time, and what names the clock is not known from before. */
const SQL = `SELECT ${COLUMNS.map((name) => `avg(${name})`).join(', ')}, count(*) FROM wide /* now */`
const copiesOnDisk = (): string[] => readdirSync(join(leaf.dir, 'artefacts')).filter((name) => name.includes('-native-'))

test(
  'columns that are asked for often are copied, read from the copy, also after kill -9, and go with the rows that are erased',
  { timeout: 300_000 },
  async () => {
    await leaf.start()
    for (let from = 0; from < ROWS; from += 10_000) {
      const rows = Array.from({ length: 10_000 }, (_, at) => {
        const row = from + at
        return {
          time: startMs + row * 50,
          who: `u${row % 7}`,
          ...Object.fromEntries(COLUMNS.map((name, column) => [name, ((row * (column + 3)) % 1009) / 7])),
        }
      })
      await leaf.client.send('wide', rows)
    }
    await leaf.seal('wide')
    const ask = () => leaf.client.query(SQL, { ...range, deadlineMs: 60_000 })
    const first = await ask()
    expect(first.cache.artefacts).toBeUndefined()
    const until = Date.now() + 200_000
    while (copiesOnDisk().length === 0 && Date.now() < until) {
      for (let turn = 0; turn < 20; turn += 1) await ask()
      await leaf.client.warm()
    }
    expect(copiesOnDisk()).toHaveLength(1)
    const fromCopy = await ask()
    const { answer: listed } = await leaf.post('do/scuba.artefact.list', '{}')
    expect(listed).toMatchObject({ artefacts: [{ table: 'wide', kind: 'native', segments: 1, rows: ROWS }], differences: 0 })
    expect(fromCopy.cache.artefacts).toBe(1)
    expect(fromCopy.rows.map(rounded)).toEqual(first.rows.map(rounded))

    await leaf.end('SIGKILL')
    await leaf.start()
    await expect.poll(async () => (await ask()).cache.artefacts, { timeout: 30_000 }).toBe(1)
    const { status } = await leaf.post('do/scuba.row.erase', JSON.stringify({ table: 'wide', where: "who = 'u3'" }), {
      'content-type': 'application/json',
    })
    expect(status).toBe(200)
    await expect.poll(copiesOnDisk, { timeout: 30_000 }).toEqual([])
    const after = await ask()
    expect(after.cache.artefacts).toBeUndefined()
    expect(Number(after.rows[0]?.at(-1))).toBe(ROWS - Math.ceil((ROWS - 3) / 7))
  },
)

const rounded = (row: readonly unknown[]): unknown[] =>
  row.map((value) => (typeof value === 'number' ? Number(value.toPrecision(10)) : value))
