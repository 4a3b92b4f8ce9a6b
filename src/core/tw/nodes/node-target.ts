import type { ReadDb } from '../../contracts/storage.ts'
import { type MusterError, refuse } from '../../kernel/errors.ts'
import { fromJson, nodeRow, type NodeRow } from '../rows.ts'

/**
 * Nodes a target names, by name: `n2`, `rack:r7`, `zone:z1`, `region:eu`, or `label:tier=gold`. TW_NODE_UNKNOWN when there is none.
 */
export function nodesOfTarget(db: ReadDb, target: string): string[] | MusterError {
  const [, kind, value = ''] = /^(rack|zone|region|label):(.+)$/.exec(target) ?? []
  if (kind === undefined) return nodeRow(db, target) ? [target] : refuse('TW_NODE_UNKNOWN', `there is no node ${target}`)
  const rows = db.all<Pick<NodeRow, 'name' | 'region' | 'zone' | 'rack' | 'labels'>>(
    'SELECT name, region, zone, rack, labels FROM tw_node ORDER BY name',
  )
  const names = rows.filter((row) => isIn(row, kind, value)).map((row) => row.name)
  return names.length > 0 ? names : refuse('TW_NODE_UNKNOWN', `there is no node of ${target}`)
}

function isIn(row: Pick<NodeRow, 'region' | 'zone' | 'rack' | 'labels'>, kind: string, value: string): boolean {
  if (kind !== 'label') return row[kind as 'region' | 'zone' | 'rack'] === value
  const [key = '', ...rest] = value.split('=')
  return fromJson<Record<string, string>>(row.labels)[key] === rest.join('=')
}
