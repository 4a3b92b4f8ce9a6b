import type { ColumnSet } from '../rows/columns.ts'
import { canBeColumn, isReserved } from '../rows/names.ts'
import type { Scan, SeenColumn } from './scan.ts'

/**
 * Whether every value of a scanned body goes into a column of its name as it stands; if so, new columns are added and integer
 * ones widened as the rows would have done it one by one. If not, nothing is changed.
 * @param isOpen whether new columns may be added
 * @param receivedMs when it came in
 */
export function fitColumns({ columns: seen, shape }: Scan, columns: ColumnSet, isOpen: boolean, receivedMs: number): boolean {
  const added: [string, SeenColumn['type']][] = []
  for (const [name, { type, isText }] of seen) {
    const column = columns.exact(name)
    if (isReserved(name)) return false
    if (column === undefined) {
      if (columns.find(name) !== undefined || !canBeColumn(name)) return false
      added.push([name, type])
    } else if (
      column.type !== type &&
      !(column.type === 'DOUBLE' && type === 'BIGINT') &&
      !(column.type === 'BIGINT' && type === 'DOUBLE' && !column.isFixed)
    ) {
      if (column.type !== 'VARCHAR' || !isText) return false
    }
  }
  // Not columns, but in the file beside them: the engine knows one spelling of a name only.
  const others = [...shape.objects, ...shape.arrays].map((path) => path.join('.'))
  if (shape.time !== null && shape.time.key !== 'time') others.push(shape.time.key)
  for (const name of others) {
    if (isReserved(name) || !canBeColumn(name)) return false
    if (columns.exact(name) === undefined && columns.find(name) !== undefined) return false
  }
  if (added.length > columns.room(receivedMs) || (!isOpen && added.length + shape.arrays.length > 0)) return false
  for (const [name, { type }] of seen) {
    const column = columns.exact(name)
    if (column?.type === 'BIGINT' && type === 'DOUBLE') columns.widen(column)
  }
  for (const [name, type] of added) columns.add(name, type, receivedMs)
  return true
}
