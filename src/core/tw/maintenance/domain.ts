import type { ReadDb } from '../../contracts/storage.ts'
import { nodeRow } from '../rows.ts'
import type { DomainLevel } from './rows.ts'

/** Which domain of a level a node is in: its own name, its rack, zone or region; '' when the node is gone. */
export function domainOf(db: ReadDb, node: string, level: DomainLevel): string {
  return level === 'node' ? node : (nodeRow(db, node)?.[level] ?? '')
}
