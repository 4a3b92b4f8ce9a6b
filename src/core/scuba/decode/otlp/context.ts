import { RESERVED } from '../../rows/columns.ts'
import type { Row } from '../rows.ts'
import type { KeyValue, Resource, Scope } from './messages.ts'
import { columnsOf } from './values.ts'

/** What the records of one scope and resource have in common, as columns. */
export interface Context {
  resource: Row
  scope: Row
  /** `service`, `scope`, `scope.version` */
  own: Row
}

export function contextOf(resource: Resource | null, scope: Scope | null): Context {
  const columns = columnsOf(resource?.attributes ?? [])
  const own: Row = {}
  if (columns['service.name'] !== undefined) own['service'] = columns['service.name']
  if (scope !== null && scope.name !== '') own['scope'] = scope.name
  if (scope !== null && scope.version !== '') own['scope.version'] = scope.version
  return { resource: columns, scope: columnsOf(scope?.attributes ?? []), own }
}

/**
 * A record's row: its own columns, then its attributes, its scope's and its resource's. A name that an inner one has already
 * is written as `attr.`, `scope.` or `resource.<name>` when the values differ, so that none hides another.
 */
export function rowOf(own: Row, attributes: readonly KeyValue[], context: Context): Row {
  const row: Row = { ...own, ...context.own }
  add(row, columnsOf(attributes), 'attr.')
  add(row, context.scope, 'scope.')
  add(row, context.resource, 'resource.')
  return row
}

const TIME_NAMES = new Set(['ts', 'timestamp', '@timestamp', ...Object.keys(RESERVED)])

function add(row: Row, columns: Row, prefix: string): void {
  for (const name of Object.keys(columns)) {
    const value = columns[name] as Row[string]
    if (TIME_NAMES.has(name)) row[prefix + name] = value
    else if (row[name] === undefined) row[name] = value
    else if (row[name] !== value) row[prefix + name] = value
  }
}
