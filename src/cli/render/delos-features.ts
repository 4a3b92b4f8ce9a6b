import type { FeatureRow } from '../../server/delos/serve/features.ts'
import type { View } from '../terminal.ts'
import { table } from './table.ts'

export type { FeatureRow }

export function renderFeatures(features: readonly FeatureRow[], view: View): string {
  if (features.length === 0) return 'no server knows a feature that has to be enabled'
  return table(view, features, [
    { title: 'feature', cell: ({ name }) => name },
    { title: 'state', cell: ({ since }) => (since === null ? 'dormant' : `since ${since}`) },
    { title: 'known by', cell: ({ knownBy }) => knownBy.join(',') },
    { title: 'not by', cell: ({ unknownTo, silent }) => [...unknownTo, ...silent.map((name) => `${name}?`)].join(',') },
    { title: 'what', cell: ({ what }) => what, canShrink: true },
  ])
}

export function renderEnabled({ name, since }: FeatureRow): string {
  return since === null
    ? `${name} could be enabled: every server knows it; nothing was changed`
    : `${name} is enabled from position ${since} on`
}
