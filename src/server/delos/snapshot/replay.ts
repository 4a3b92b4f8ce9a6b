import type { ExactState } from '../../../core/delos/bbolt/etcd-file.ts'
import { AppliedOnce } from '../../../core/delos/engines/applied-once.ts'
import { readBatch } from '../../../core/delos/engines/batch.ts'
import { decodeCommand } from '../../../core/delos/kv/command-codec.ts'
import type { KvRows } from '../../../core/delos/kv/rows.ts'
import { createStore } from '../../../core/delos/kv/store.ts'
import { MusterError } from '../../../core/kernel/errors.ts'
import { openArchive, readArchive, type Archive } from '../archive/archive-reader.ts'
import { batchTimeOf } from '../archive/batch-time.ts'

/** Where the log is applied to: a position, a log time in ms, or as far as the archive goes. */
export type Until = { position: number } | { timeMs: number } | null

export interface ReplayFrom {
  rows: KvRows
  /** up to which the rows go */
  position: number
  /** what the format of the snapshot has no place for; undefined: an etcd's, or of an older program */
  exact: ExactState | undefined
  /** id of the cluster that the snapshot is of, hex; null: not said */
  cluster: string | null
}

export interface Replayed {
  rows: KvRows
  /** of the last batch that was applied, or the snapshot's own */
  position: number
  /** its log time, ms; null: not known */
  timeMs: number | null
  /** the last position that the archive would have had */
  archivedTo: number
}

const COMPACT_STEP = 100_000

const beyond = (what: string, hint: string): MusterError => new MusterError('USAGE', what, { hint })

/** Applies what was archived to a snapshot, as the servers did. Rejects with USAGE, NOT_FOUND, DELOS_ARCHIVE_INVALID or STATE_NEWER. */
export async function replayArchive(from: ReplayFrom, to: string, until: Until): Promise<Replayed> {
  const { position: start, exact } = from
  if (exact === undefined)
    throw beyond(
      'the snapshot does not say enough to apply an archive to it',
      'Use one that `muster delos snapshot save` of this version made.',
    )
  const archive = await openArchive(to, from.cluster)
  const last = await lastFor(archive, start, until)
  const leaseTtlMinS = archive.manifests[0]?.leaseTtlMinS ?? 1
  const skips = new Set(archive.manifests.flatMap((manifest) => manifest.skips))
  const store = createStore({ leaseTtlMinS }, from.rows)
  const once = new AppliedOnce(exact.proposers)
  let timeMs = exact.timeMs
  let position = start
  if (until !== null && 'timeMs' in until && exact.timeMs > until.timeMs)
    throw beyond(`the snapshot is of ${new Date(exact.timeMs).toISOString()}, which is later`, 'Use an older snapshot.')
  for await (const entry of readArchive(archive, start + 1, last)) {
    const batch = readBatch(entry.payload)
    if (batch === null) throw newer(entry.position)
    const atMs = Math.max(timeMs, batch.timeMs)
    if (until !== null && 'timeMs' in until && atMs > until.timeMs) break
    position = entry.position
    timeMs = atMs
    // Passed over by the servers, too; so is its number.
    if (skips.has(position)) continue
    if (!once.isNew(batch.proposer, batch.seq)) continue
    for (const each of batch.entries) {
      const command = decodeCommand(each)
      if (command === null) throw newer(position)
      store.apply(command, { position, timeMs })
    }
    once.admit(batch.proposer, batch.seq)
    store.takeChanges()
    while (store.compactStep(COMPACT_STEP)) store.takeChanges()
  }
  return { rows: store.dump(), position, timeMs: timeMs === 0 ? null : timeMs, archivedTo: last }
}

function newer(position: number): MusterError {
  return new MusterError('STATE_NEWER', `position ${position} of the archive holds something that this version does not know`)
}

/** The last position that has to be read; checks that all up to it are there. */
async function lastFor(archive: Archive, start: number, until: Until): Promise<number> {
  const span = archive.spans.find(({ first, last }) => first <= start + 1 && start <= last)
  const have = archive.spans.map(({ first, last }) => `${first}–${last}`).join(', ') || 'nothing'
  const newest = Math.max(0, ...archive.spans.map(({ last }) => last))
  const wanted = until !== null && 'position' in until ? until.position : null
  if (wanted !== null && wanted < start)
    throw beyond(`the snapshot goes to position ${start} already, past ${wanted}`, 'Use an older snapshot.')
  if (wanted !== null && wanted > newest && wanted > start)
    throw beyond(`the archive goes only to position ${Math.max(newest, start)}, not to ${wanted}`, 'Leave --at out to get all there is.')
  // All that is archived may be in the snapshot.
  if (wanted === start || newest <= start) return start
  if (span === undefined)
    throw new MusterError(
      'DELOS_ARCHIVE_INVALID',
      `the archive has positions ${have}; what comes after the snapshot, ${start + 1}, is not in it`,
    )
  if (wanted !== null && wanted <= span.last) return wanted
  if (span.last === newest) return wanted ?? span.last
  // Going on behind a hole would give a state that never was; for a time it is enough that the end of it is before the hole.
  if (until !== null && 'timeMs' in until && (await timeAt(archive, span.last)) > until.timeMs) return span.last
  throw new MusterError('DELOS_ARCHIVE_INVALID', `the archive has positions ${have}: those after ${span.last} are not in it`, {
    hint: `Give --at ${span.last} to get what is before the hole, or a snapshot from behind it.`,
  })
}

async function timeAt(archive: Archive, position: number): Promise<number> {
  for await (const { payload } of readArchive(archive, position, position)) return batchTimeOf(payload)
  return Number.POSITIVE_INFINITY
}
