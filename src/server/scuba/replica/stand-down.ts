import { existsSync, linkSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { placeOf } from '../../../core/scuba/clickhouse/place.ts'
import { isReplicated } from '../../../core/scuba/registry.ts'
import { supersededBy } from '../../../core/scuba/shards/fate.ts'
import { replaceFileDurably, syncDirectory } from '../../../platform/files.ts'
import type { Store } from '../leaf/store.ts'
import type { TableJobs } from '../leaf/table-jobs.ts'
import { ASIDE, ASIDE_STATE, asideFolders, dropAside } from './aside-folders.ts'

const DAY_MS = 86_400_000

/**
 * A leaf whose shards went to another while it was lost sets its rows of replicated tables aside: they are the other's now, and would be in answers
 * twice. Journal, chunks and segments get a second name in `aside/`, so that what was acknowledged here and had not reached a copy is not
 * lost. Done once for each move; after a crash in the middle it goes on.
 */
export async function standDown(store: Store, jobs: TableJobs, leaf: string): Promise<void> {
  const { shards, tables } = store.registry.current
  const moved = supersededBy(shards, leaf)
  if (moved.length === 0) return
  const names = [...store.tableNames()].filter((name) => isReplicated(tables[name]) && store.table(name).rows > 0)
  if (names.length === 0) return
  const dir = join(store.dir, ASIDE, moved.map(({ id, epoch }) => `${id}@${epoch}`).join('+'))
  const rows = names.reduce((sum, name) => sum + store.table(name).rows, 0)
  if (!existsSync(dir)) await keep(store, dir, names, rows)
  // Who has the shards knows the keys of what it has; a key that is known here alone is one of rows that nobody sees.
  await store.keys.forget(new Set(names), Date.now())
  for (const name of names) await jobs.clear(name)
  store.applyRegistry()
  store.log.warn("this leaf's rows of replicated tables are another leaf's now and were set aside", { dir, rows })
}

/** Rows that were set aside, and of which some may be in no answer. */
export const asideRows = (dir: string): number => asideFolders(dir).reduce((sum, { rows, isSettled }) => sum + (isSettled ? 0 : rows), 0)

/** What was set aside so long ago that retention would have dropped all of it by now goes. */
export function dropOldAside({ dir, policy, log }: Pick<Store, 'dir' | 'policy' | 'log'>, nowMs: number): void {
  for (const { name, sinceMs, throughSeq } of asideFolders(dir)) {
    const days = Math.max(0, ...Object.keys(throughSeq).map((table) => policy(table).days))
    if (nowMs - sinceMs < days * DAY_MS) continue
    dropAside(dir, name)
    log.info('rows that were set aside are older than any of their tables keeps them, and were dropped', { name })
  }
}

async function keep(store: Store, dir: string, names: readonly string[], rows: number): Promise<void> {
  const made = `${dir}.new`
  rmSync(made, { recursive: true, force: true })
  for (const name of names) await store.tail(name).roll()
  await store.journal.roll()
  for (const folder of ['journal', 'raw', 'segments']) mkdirSync(join(made, folder), { recursive: true, mode: 0o700 })
  for (const folder of ['journal', 'raw'])
    for (const name of readdirSync(join(store.dir, folder))) linkSync(join(store.dir, folder, name), join(made, folder, name))
  const segments = names.flatMap((name) => [...(store.manifest.tables.get(name)?.segments.values() ?? [])])
  for (const { file } of segments)
    if (placeOf(file) === null && existsSync(store.segmentPath(file))) linkSync(store.segmentPath(file), join(made, 'segments', file))
  const through = names.map((name) => [name, store.manifest.tables.get(name)?.throughSeq ?? 0] as const)
  replaceFileDurably(join(made, ASIDE_STATE), JSON.stringify({ rows, throughSeq: Object.fromEntries(through), segments }))
  for (const folder of ['journal', 'raw', 'segments']) await syncDirectory(join(made, folder))
  renameSync(made, dir)
  await syncDirectory(join(store.dir, ASIDE))
}
