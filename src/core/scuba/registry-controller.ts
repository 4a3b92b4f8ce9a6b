import type { Controller } from '../contracts/controller.ts'
import type { Proposal } from '../contracts/entry.ts'
import type { ReadDb } from '../contracts/storage.ts'
import { LeafDiskMoved, LeafJoined, LeafLost, SegmentLost, SegmentSettled } from './entries/leaves.ts'
import { RetentionApplied, RowsErased } from './entries/retention.ts'
import { ColumnsObserved } from './entries/tables.ts'
import { LEAF_LOST_MS, type Observed, type RegistrySoft } from './observed.ts'
import type { ColumnTypes } from './rows/columns.ts'
import { DISK_LEVELS, type DiskLevel } from './seal/pressure.ts'
import { columnTypes, storedColumns, storedTable } from './registry-state.ts'
import type { LeafNote } from './wal/manifest.ts'

export const REGISTRY = 'scuba.registry'

/** Columns of a table become an entry this often at most. */
export const COLUMNS_EVERY_MS = 10_000
/** A disk has been this full for so long at least before it is told that it is emptier. */
export const DISK_EMPTIER_MS = 60_000
/** Entries of one round: a leaf with many new tables is learned over several. */
const ENTRIES_MAX = 100

/** Concludes from what the leaf says: who is there, which columns there are, what is lost, what retention and people removed. */
export const registryController: Controller<RegistrySoft | undefined> = {
  name: REGISTRY,
  wakes: ['scuba.Table', 'scuba.Leaf'],
  decide: (db, now, soft) => {
    if (soft === undefined) return { entries: [], wakeAt: null }
    const entries: Proposal[] = []
    let wakeAt: number | null = null
    const told = new Set<string>()
    // One that has left was looked at a moment ago.
    const peers = (soft.peers ?? []).filter(({ leaf }) => stateOf(db, leaf) !== undefined)
    for (const seen of [soft, ...peers]) {
      const of = ofSeen(db, now, { ...seen, leafLostMs: soft.leafLostMs ?? LEAF_LOST_MS }, told)
      entries.push(...of.entries)
      if (of.wakeAt !== null) wakeAt = Math.min(wakeAt ?? Infinity, of.wakeAt)
    }
    const isCut = entries.length > ENTRIES_MAX
    return { entries: entries.slice(0, ENTRIES_MAX), wakeAt: isCut ? now : wakeAt }
  },
}

type Seen = Pick<RegistrySoft, 'leaf' | 'observed' | 'silentSinceMs'> & { leafLostMs: number }

/** @param told tables whose columns became an entry in this round: those of another leaf wait for the next */
function ofSeen(db: ReadDb, now: number, seen: Seen, told: Set<string>): { entries: Proposal[]; wakeAt: number | null } {
  const { observed } = seen
  if (observed === null || seen.silentSinceMs !== null) return ofSilence(db, now, seen)
  const columns = ofColumns(db, now, observed, told)
  const disk = ofDisk(db, now, observed)
  return {
    entries: [...ofLeaf(db, observed), ...disk.entries, ...ofNotes(db, observed), ...ofLost(db, observed), ...columns.entries],
    wakeAt: disk.wakeAt === null || columns.wakeAt === null ? (disk.wakeAt ?? columns.wakeAt) : Math.min(disk.wakeAt, columns.wakeAt),
  }
}

interface LeafRow {
  state: string
  notes_through: number
  disk: DiskLevel
  disk_since: number | null
}

const stateOf = (db: ReadDb, leaf: string) =>
  db.get<LeafRow>('SELECT state, notes_through, disk, disk_since FROM scuba_leaf WHERE id = ?', leaf)

/** A disk that is fuller is told at once; one that is emptier once that has lasted, for it goes up and down at a bound. */
function ofDisk(db: ReadDb, now: number, { leaf, disk }: Observed): { entries: Proposal[]; wakeAt: number | null } {
  const known = stateOf(db, leaf)
  if (disk === undefined || disk === (known?.disk ?? 'ok')) return { entries: [], wakeAt: null }
  const isFuller = DISK_LEVELS.indexOf(disk) > DISK_LEVELS.indexOf(known?.disk ?? 'ok')
  const dueMs = isFuller ? now : (known?.disk_since ?? -Infinity) + DISK_EMPTIER_MS
  return dueMs <= now ? { entries: [LeafDiskMoved.of({ leaf, level: disk })], wakeAt: null } : { entries: [], wakeAt: dueMs }
}

function ofSilence(db: ReadDb, now: number, { leaf, silentSinceMs, leafLostMs }: Seen): { entries: Proposal[]; wakeAt: number | null } {
  if (leaf === null || silentSinceMs === null || stateOf(db, leaf)?.state !== 'present') return { entries: [], wakeAt: null }
  const dueMs = silentSinceMs + leafLostMs
  return dueMs <= now ? { entries: [LeafLost.of({ leaf })], wakeAt: null } : { entries: [], wakeAt: dueMs }
}

function ofLeaf(db: ReadDb, { leaf }: Observed): Proposal[] {
  return stateOf(db, leaf)?.state === 'present' ? [] : [LeafJoined.of({ leaf })]
}

function ofNotes(db: ReadDb, { leaf, notes }: Observed): Proposal[] {
  const through = stateOf(db, leaf)?.notes_through ?? 0
  return notes.filter(({ number }) => number > through).map((note) => entryOf(leaf, note))
}

function entryOf(leaf: string, { number, atMs, table, what, reason, segments, rows, bytes, predicateSha256, by }: LeafNote): Proposal {
  if (what === 'erased')
    return RowsErased.of({
      ...{ table, segments, rows, leaf, note: number, atMs },
      predicateSha256: predicateSha256 ?? '',
      by: by ?? '',
    })
  return RetentionApplied.of({ table, what, reason, segments, rows, bytes, leaf, note: number, atMs })
}

function ofLost(db: ReadDb, { leaf, lost }: Observed): Proposal[] {
  const known = new Set(db.all<{ file: string }>('SELECT file FROM scuba_lost_segment WHERE leaf = ?', leaf).map(({ file }) => file))
  const now = new Set(lost.map(({ file }) => file))
  return [
    ...lost.filter(({ file }) => !known.has(file)).map((segment) => SegmentLost.of({ leaf, ...segment })),
    ...[...known].filter((file) => !now.has(file)).map((file) => SegmentSettled.of({ leaf, file })),
  ]
}

function ofColumns(db: ReadDb, now: number, { tables }: Observed, told: Set<string>): { entries: Proposal[]; wakeAt: number | null } {
  const entries: Proposal[] = []
  let wakeAt: number | null = null
  for (const [table, { columns }] of Object.entries(tables)) {
    const fresh = newColumns(db, table, columns)
    const observedAtMs = storedTable(db, table)?.observedAtMs ?? null
    if (Object.keys(fresh).length === 0 && observedAtMs !== null) continue
    const dueMs = (observedAtMs ?? -Infinity) + COLUMNS_EVERY_MS
    if (dueMs > now) wakeAt = Math.min(wakeAt ?? Infinity, dueMs)
    else if (told.has(table)) wakeAt = now + COLUMNS_EVERY_MS
    else if (told.add(table)) entries.push(ColumnsObserved.of({ table, columns: fresh }))
  }
  return { entries, wakeAt }
}

/** Columns that the state does not know, or knows as BIGINT where a fraction came; what is declared is not concluded from rows. */
function newColumns(db: ReadDb, table: string, columns: ColumnTypes): ColumnTypes {
  const stored = storedColumns(db, table)
  const known = columnTypes(stored)
  const declared = new Set(stored.filter(({ origin }) => origin === 'declared').map(({ name }) => name))
  return Object.fromEntries(
    Object.entries(columns).filter(
      ([name, type]) => known[name] === undefined || (known[name] === 'BIGINT' && type === 'DOUBLE' && !declared.has(name)),
    ),
  )
}
