import { afterAll, beforeAll, expect, test } from 'vitest'
import { Leaf } from './leaf.ts'

const leaf = new Leaf()
beforeAll(() => leaf.start())
afterAll(() => leaf.remove())

test('a CSV becomes rows with the types its values have; one that is none is refused and adds nothing', { timeout: 60_000 }, async () => {
  const csv = (body: string | Buffer) => leaf.post('tables/sheet/rows', body, { 'content-type': 'text/csv; charset=utf-8' })
  expect((await csv('name,count,share,at\n"a, b",1,0.5,2026-01-02\nc,20,1.5,2026-01-03\n')).answer).toMatchObject({
    accepted: 2,
    quarantined: 0,
  })
  const { rows } = await leaf.client.query('select name, count, share from sheet order by count')
  expect(rows).toEqual([
    ['a, b', 1, 0.5],
    ['c', 20, 1.5],
  ])
  const parquet = await leaf.post('tables/sheet/rows', 'no Parquet', { 'content-type': 'application/vnd.apache.parquet' })
  expect(parquet).toMatchObject({ status: 400, answer: { error: { code: 'SCUBA_ROWS_INVALID' } } })
  expect((await leaf.client.query('select count(*) from sheet')).rows).toEqual([[2]])
})
