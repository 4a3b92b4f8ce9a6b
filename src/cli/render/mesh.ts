import { formatShare } from '../../core/kernel/units.ts'
import type { View } from '../terminal.ts'
import { mark } from './style.ts'
import { fields, table } from './table.ts'

export interface MeshServiceView {
  service: string
  job: string
  group: string
  protocol: string
  endpoints: { task: string; address: string; port: number; subset: string; node: string; region: string }[]
  unused: { task: string; why: string }[]
  split: { shares: Record<string, number>; epoch: number; appliedAtMs: number | null } | null
  faults: { id: string; run: string; kind: string; untilMs: number }[]
}

export function renderServices(view: View, services: readonly MeshServiceView[]): string {
  return table(
    view,
    services,
    [
      { title: 'service', cell: (service) => service.service },
      { title: 'job', cell: (service) => `${service.job}/${service.group}` },
      { title: 'protocol', cell: (service) => service.protocol },
      { title: 'endpoints', cell: (service) => service.endpoints.length, align: 'right' },
      { title: 'not used', cell: (service) => service.unused.length, align: 'right' },
      { title: 'split', cell: (service) => splitText(service.split) },
      {
        title: 'faults',
        cell: (service) => (service.faults.length === 0 ? '-' : service.faults.map(({ kind, run }) => `${kind} (${run})`).join(', ')),
        canShrink: true,
      },
    ],
    'No service yet: a group of a job declares one under `services`.',
  )
}

export function renderService(view: View, service: MeshServiceView): string {
  const rows = [
    ...service.endpoints.map((endpoint) => ({
      ...endpoint,
      state: mark(view, 'ok', 'in use'),
      at: `${endpoint.address}:${endpoint.port}`,
    })),
    ...service.unused.map(({ task, why }) => ({ task, state: mark(view, 'off', why), at: '-', subset: '-', node: '-', region: '-' })),
  ]
  return [
    fields(view, [
      ['service', service.service],
      ['job', `${service.job}/${service.group}`],
      ['protocol', service.protocol],
      ['split', splitText(service.split)],
      ['faults', service.faults.length === 0 ? null : service.faults.map(({ id, kind, run }) => `${id}: ${kind} of run ${run}`).join('; ')],
    ]),
    '',
    table(
      view,
      rows,
      [
        { title: 'task', cell: (row) => row.task },
        { title: 'state', cell: (row) => row.state },
        { title: 'subset', cell: (row) => row.subset },
        { title: 'address', cell: (row) => row.at },
        { title: 'node', cell: (row) => row.node },
        { title: 'region', cell: (row) => row.region },
      ],
      'No tasks.',
    ),
  ].join('\n')
}

function splitText(split: MeshServiceView['split']): string {
  const shares = Object.entries(split?.shares ?? {})
  if (split === null || shares.length === 0) return '-'
  return `${shares.map(([subset, ppm]) => `${subset} ${formatShare(ppm)}`).join(', ')}${split.appliedAtMs === null ? ' (not everywhere yet)' : ''}`
}
