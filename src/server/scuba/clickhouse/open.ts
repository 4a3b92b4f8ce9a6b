import type { Logger } from '../../../platform/logger.ts'
import type { Engine } from '../leaf/engine.ts'
import { Connection } from './connection.ts'
import { urlsOf } from './settings.ts'
import { SpreadStore } from './spread.ts'
import { ClickHouseStore } from './store.ts'

/** Where a leaf's sealed rows go, if it was told; nothing is asked of it yet. */
export function openClickHouse(text: string | null, engine: Engine, dir: string, leaf: string, log: Logger): SpreadStore | null {
  if (text === null) return null
  const open = (url: string, at: number): ClickHouseStore =>
    new ClickHouseStore(new Connection(url), { engine, dir, leaf, log, server: at + 1 })
  return new SpreadStore(urlsOf(text).map(open))
}
