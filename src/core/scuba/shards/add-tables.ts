import type { z } from 'zod'
import type { scubaRetentionShow } from '../operations/retention.ts'
import type { scubaColumnList } from '../operations/tables.ts'
import { addCaps } from '../rows/caps.ts'
import { addUp } from './add-up.ts'

type Columns = z.output<typeof scubaColumnList.output>
type Retention = z.output<typeof scubaRetentionShow.output>
type Kept = Retention['tables'][number]

/** The columns of a table on several leaves: types are those of the first, counts are added. How many distinct values there are lies between
 * the most of one leaf and the sum: leaves send estimates here and no registers, which panels merge. */
export function addColumns(outputs: readonly Columns[]): Columns {
  const columns = byName(outputs.map((output) => output.columns))
  return {
    ...(addUp(outputs.map((output) => ({ ...output, columns: [] }))) as Columns),
    columnsMax: Math.max(...outputs.map(({ columnsMax }) => columnsMax)),
    capped: outputs.map(({ capped }) => capped).reduce(addCaps),
    columns: [...columns.values()].map((its) => {
      const counts = its.flatMap(({ distinct }) => distinct ?? [])
      return {
        ...(addUp(its) as Columns['columns'][number]),
        distinct: counts.length === 0 ? null : Math.max(...counts),
        distinctMax: counts.length < 2 ? null : counts.reduce((sum, count) => sum + count, 0),
      }
    }),
  }
}

/** How tables are kept on several leaves. The space of a policy is of each leaf, as is what goes because of it. */
export function addRetention(outputs: readonly Retention[]): Retention {
  const tables = byName(outputs.map((output) => output.tables.map((table) => ({ ...table, name: table.table }))))
  return {
    ...(addUp(outputs.map((output) => ({ ...output, tables: [] }))) as Retention),
    tables: [...tables.values()].map(addKept).sort((a, b) => (a.table < b.table ? -1 : 1)),
  }
}

function addKept(all: readonly (Kept & { name: string })[]): Kept {
  const [first] = all
  if (first === undefined) throw new Error('a table of no leaf')
  const { name: _, ...kept } = first
  const sum = (of: (one: Kept) => number): number => all.reduce((total, one) => total + of(one), 0)
  const going = byName(all.map((one) => one.going.map((going) => ({ ...going, name: going.what }))))
  const next = all.flatMap(({ nextMs }) => nextMs ?? [])
  return {
    ...kept,
    segments: sum(({ segments }) => segments),
    rows: sum(({ rows }) => rows),
    bytes: sum(({ bytes }) => bytes),
    going: [...going.values()].map((its) => {
      const { name: __, ...added } = addUp(its) as Kept['going'][number] & { name: string }
      return added
    }),
    nextMs: next.length === 0 ? null : Math.min(...next),
    held: { segments: sum(({ held }) => held.segments), rows: sum(({ held }) => held.rows) },
  }
}

/** In the order in which the names were first seen. */
function byName<T extends { name: string }>(lists: readonly (readonly T[])[]): Map<string, T[]> {
  const all = new Map<string, T[]>()
  for (const one of lists.flat()) {
    const known = all.get(one.name)
    if (known === undefined) all.set(one.name, [one])
    else known.push(one)
  }
  return all
}
