import { formatDuration, formatShare } from '../../core/kernel/units.ts'
import type { View } from '../terminal.ts'
import { fields, table } from './table.ts'

interface Config {
  name: string
  active: number | null
  versions: { version: number; readers: number; lastMs: number }[]
  readers: { reader: string; version: number; sinceMs: number; lastMs: number }[]
  trial: { version: number; sharePpm: number; until: number; verdict: 'pass' | 'fail' | null; text: string } | null
}

const OPINION = { pass: 'good so far', fail: 'bad' } as const

/** Of one configuration with its readers by name; of several, how many have which version. */
export function renderConfigReaders(data: { sinceMs: number; configs: readonly Config[] }, nowMs: number, view: View): string {
  const ago = (ms: number): string => formatDuration(Math.max(0, nowMs - ms))
  const [only] = data.configs
  if (data.configs.length === 1 && only !== undefined && only.readers.length > 0)
    return `${renderOne(only, nowMs, view)}\n\n${table(view, only.readers, [
      { title: 'reader', cell: (row) => row.reader },
      { title: 'has', cell: (row) => row.version, align: 'right' },
      { title: 'for', cell: (row) => ago(row.sinceMs), align: 'right' },
      { title: 'last read', cell: (row) => ago(row.lastMs), align: 'right' },
    ])}`
  return table(
    view,
    data.configs,
    [
      { title: 'config', cell: (row) => row.name },
      { title: 'active', cell: (row) => row.active, align: 'right' },
      { title: 'readers', cell: versionsText },
      { title: 'on trial', cell: (row) => row.trial && trialText(row.trial, nowMs), canShrink: true },
    ],
    'No configurations.',
  )
}

function renderOne(config: Config, nowMs: number, view: View): string {
  return fields(view, [
    ['config', config.name],
    ['active', config.active],
    ['readers', versionsText(config)],
    ['on trial', config.trial && trialText(config.trial, nowMs)],
  ])
}

/** `3 have 2, 5 have 1` */
function versionsText({ versions }: Config): string {
  return versions.length === 0
    ? 'none seen'
    : versions.map(({ version, readers }) => `${readers} ${readers === 1 ? 'has' : 'have'} ${version}`).join(', ')
}

function trialText({ version, sharePpm, until, verdict, text }: NonNullable<Config['trial']>, nowMs: number): string {
  const left = `${version} at ${formatShare(sharePpm)}, ${formatDuration(Math.max(0, until - nowMs))} left`
  return `${left}; ${verdict === null ? 'no verdict yet' : OPINION[verdict]}: ${text}`
}
