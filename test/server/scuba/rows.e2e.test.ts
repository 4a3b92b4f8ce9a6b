import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Leaf } from './leaf.ts'

const leaf = new Leaf()
beforeAll(() => leaf.start())
afterAll(() => leaf.remove())

test(
  'whatever JSON objects come in, each is a row the engine can read, hot and sealed, with its texts and numbers unchanged',
  { timeout: 120_000 },
  async () => {
    const text = fc.oneof(fc.string(), fc.string({ unit: 'binary', maxLength: 20 }))
    const value = fc.oneof(
      text,
      fc.double(),
      fc.maxSafeInteger(),
      fc.boolean(),
      fc.constant(null),
      fc.array(fc.string(), { maxLength: 2 }),
      fc.dictionary(text, text, { maxKeys: 2 }),
    )
    let tables = 0
    await fc.assert(
      fc.asyncProperty(fc.array(fc.dictionary(text, value, { maxKeys: 8 }), { minLength: 1, maxLength: 40 }), async (batch) => {
        const table = `t${(tables += 1)}`
        const rows = batch.map((extra, n) => ({ ...extra, n, copy: JSON.stringify(extra), half: n / 2 }))
        const receipt = await leaf.client.send(table, rows)
        expect(receipt).toMatchObject({ accepted: rows.length, quarantined: 0 })
        const read = async (): Promise<unknown[][]> => {
          const { rows: all, columns } = await leaf.client.query(`select * from ${table}`)
          const at = (name: string): number => columns.findIndex((column) => column.name === name)
          return all.map((row) => [row[at('n')], row[at('copy')], row[at('half')]]).sort((a, b) => Number(a[0]) - Number(b[0]))
        }
        const wanted = rows.map(({ n, copy, half }) => [n, copy.toWellFormed(), half])
        expect(await read()).toEqual(wanted)
        await leaf.seal(table)
        expect(await read()).toEqual(wanted)
      }),
      { numRuns: 12 },
    )
  },
)
