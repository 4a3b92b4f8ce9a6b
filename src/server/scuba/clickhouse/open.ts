import type { Logger } from '../../../platform/logger.ts'
import type { Engine } from '../leaf/engine.ts'
import { Connection } from './connection.ts'
import { ClickHouseStore } from './store.ts'

/** Where a leaf's sealed rows go, if it was told; nothing is asked of it yet. */
export function openClickHouse(url: string | null, engine: Engine, dir: string, leaf: string, log: Logger): ClickHouseStore | null {
  return url === null ? null : new ClickHouseStore(new Connection(url), engine, dir, leaf, log)
}
