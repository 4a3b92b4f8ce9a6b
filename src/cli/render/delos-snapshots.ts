import { formatSize } from '../../core/kernel/units.ts'
import type { SnapshotFileRow } from '../../server/delos/snapshot/list-files.ts'
import type { EachAnswer } from '../delos/each-server.ts'
import type { View } from '../terminal.ts'
import { mark } from './style.ts'
import { table } from './table.ts'

export interface SnapshotsAnswer {
  name: string
  snapshots: {
    kind: 'rows' | 'copy'
    file: string
    position: number
    revision: number | null
    at: number
    bytes: number
    sha256: string | null
  }[]
}

const timeText = (ms: number | null): string | null => (ms === null ? null : new Date(ms).toISOString())

export function renderSnapshots(answers: readonly EachAnswer<SnapshotsAnswer>[], view: View): string {
  const rows = answers.flatMap<{ server: string; problem: string | null; row: SnapshotsAnswer['snapshots'][number] | null }>(
    ({ server, answer, problem }) =>
      problem === null
        ? (answer?.snapshots ?? []).map((row) => ({ server, problem: null, row }))
        : [{ server, problem: problem.message, row: null }],
  )
  return table(
    view,
    rows,
    [
      { title: 'server', cell: ({ server }) => server },
      { title: 'kind', cell: ({ row, problem }) => row?.kind ?? mark(view, 'bad', problem ?? '') },
      { title: 'position', cell: ({ row }) => row?.position, align: 'right' },
      { title: 'revision', cell: ({ row }) => row?.revision, align: 'right' },
      { title: 'as of', cell: ({ row }) => timeText(row?.at ?? null) },
      { title: 'size', cell: ({ row }) => (row === null ? null : formatSize(row.bytes)), align: 'right' },
      { title: 'sha256', cell: ({ row }) => row?.sha256?.slice(0, 12) },
      { title: 'file', cell: ({ row }) => row?.file, canShrink: true },
    ],
    'No server has anything on its disk yet.',
  )
}

export function renderSnapshotFiles(files: readonly SnapshotFileRow[], view: View): string {
  return table(
    view,
    files,
    [
      { title: 'file', cell: ({ file }) => file, canShrink: true },
      { title: 'position', cell: ({ snapshot }) => snapshot?.position, align: 'right' },
      { title: 'revision', cell: ({ snapshot }) => snapshot?.revision, align: 'right' },
      { title: 'keys', cell: ({ snapshot }) => snapshot?.keys, align: 'right' },
      { title: 'saved at', cell: ({ snapshot }) => timeText(snapshot?.savedAt ?? null) },
      { title: 'cluster', cell: ({ snapshot }) => snapshot?.cluster },
      { title: 'size', cell: ({ bytes }) => formatSize(bytes), align: 'right' },
      {
        title: 'sha256',
        cell: ({ snapshot, problem }) =>
          problem === null ? mark(view, 'ok', `${snapshot?.sha256.slice(0, 12)} whole`) : mark(view, 'bad', problem),
        canShrink: true,
      },
    ],
    'No snapshots here.',
  )
}
