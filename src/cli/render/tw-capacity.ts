import { formatSize } from '../../core/kernel/units.ts'
import type { Capacity } from '../../core/tw/queries.ts'
import type { View } from '../terminal.ts'
import { table, type Column } from './table.ts'
import { cpuText } from './tw-words.ts'

export function renderCapacity(view: View, parts: readonly Capacity[]): string {
  // By owner they are no nodes, so that none of theirs is stranded or the largest.
  const areNodes = parts.some(({ nodes }) => nodes > 0)
  const hasGpus = parts.some(({ total }) => total.gpuMilli > 0)
  const hasDisks = parts.some(({ total }) => total.diskBytes > 0)
  const share = (part: number, total: number): string => (total === 0 ? '–' : `${Math.round((100 * part) / total)} %`)
  return table(
    view,
    parts,
    [
      { title: 'of', cell: ({ of }) => of },
      ...(areNodes ? [{ title: 'nodes', cell: ({ nodes }: Capacity) => nodes, align: 'right' as const }] : []),
      { title: 'cpu', cell: ({ reserved, total }) => `${cpuText(reserved.cpuMilli)} of ${cpuText(total.cpuMilli)}`, align: 'right' },
      { title: '', cell: ({ reserved, total }) => share(reserved.cpuMilli, total.cpuMilli), align: 'right' },
      {
        title: 'memory',
        cell: ({ reserved, total }) => `${formatSize(reserved.memoryBytes)} of ${formatSize(total.memoryBytes)}`,
        align: 'right',
      },
      { title: '', cell: ({ reserved, total }) => share(reserved.memoryBytes, total.memoryBytes), align: 'right' },
      ...(hasDisks
        ? [
            {
              title: 'disk',
              cell: ({ reserved, total }: Capacity) => `${formatSize(reserved.diskBytes)} of ${formatSize(total.diskBytes)}`,
              align: 'right' as const,
            },
          ]
        : []),
      ...(hasGpus
        ? [
            {
              title: 'gpu',
              cell: ({ reserved, total }: Capacity) => `${reserved.gpuMilli / 1000} of ${total.gpuMilli / 1000}`,
              align: 'right' as const,
            },
          ]
        : []),
      {
        title: 'allocatable',
        cell: ({ allocatable }) => `${cpuText(allocatable.cpuMilli)}, ${formatSize(allocatable.memoryBytes)}`,
        isWide: areNodes,
      },
      ...(areNodes ? nodeColumns(hasGpus) : []),
    ],
    'No nodes. `muster up` starts a fleet.',
  )
}

const nodeColumns = (hasGpus: boolean): Column<Capacity>[] => [
  { title: 'stranded', cell: ({ stranded }) => `${cpuText(stranded.cpuMilli)}, ${formatSize(stranded.memoryBytes)}` },
  {
    title: 'largest that fits',
    cell: ({ largest }) =>
      largest === null
        ? 'none'
        : `${cpuText(largest.cpuMilli)}, ${formatSize(largest.memoryBytes)}${hasGpus ? `, ${largest.gpus} GPU` : ''} on ${largest.node}`,
  },
]
