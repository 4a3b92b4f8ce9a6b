import type { z } from 'zod'
import { fromBase64 } from '../../kernel/base64.ts'
import type { scubaRetentionShow } from '../operations/retention.ts'
import type { scubaColumnList } from '../operations/tables.ts'
import { HyperLogLog, REGISTERS_MANY } from '../merge/hyperloglog.ts'
import { addCaps } from '../rows/caps.ts'
import { addUp } from './add-up.ts'

type Columns = z.output<typeof scubaColumnList.output>
type Retention = z.output<typeof scubaRetentionShow.output>
type Kept = Retention['tables'][number]

/**
 * The columns of a table on several leaves: types are those of the first, counts are added. How many distinct values there are follows from
 * the registers of all; where one has none, or another hash, it lies between the most of one leaf and the sum.
 */
export function addColumns(outputs: readonly Columns[]): Columns {
  const columns = byName(outputs.map((output) => output.columns))
  const isOneHash = new Set(outputs.map(({ hashedBy }) => hashedBy)).size === 1
  return {
    ...(addUp(outputs.map(({ hashedBy: _hashedBy, ...output }) => ({ ...output, columns: [] }))) as Columns),
    columnsMax: Math.max(...outputs.map(({ columnsMax }) => columnsMax)),
    capped: outputs.map(({ capped }) => capped).reduce(addCaps),
    columns: [...columns.values()].map((its) => {
      const counted = its.filter(({ distinct }) => distinct !== null)
      return {
        ...(addUp(its.map(({ registers: _registers, ...column }) => column)) as Columns['columns'][number]),
        ...distinctOf(counted, isOneHash),
      }
    }),
  }
}

function distinctOf(
  columns: readonly Columns['columns'][number][],
  isOneHash: boolean,
): { distinct: number | null; distinctMax: number | null } {
  const counts = columns.flatMap(({ distinct }) => distinct ?? [])
  if (counts.length < 2) return { distinct: counts[0] ?? null, distinctMax: null }
  const all = columns.flatMap(({ registers }) => {
    const ranks = registers === undefined ? null : fromBase64(registers)
    return ranks instanceof Uint8Array && ranks.length === REGISTERS_MANY ? [ranks] : []
  })
  if (isOneHash && all.length === columns.length) {
    const merged = new HyperLogLog(REGISTERS_MANY)
    for (const ranks of all) merged.merge({ ranks })
    return { distinct: merged.estimate(), distinctMax: null }
  }
  return { distinct: Math.max(...counts), distinctMax: counts.reduce((sum, count) => sum + count, 0) }
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
