import type { Feature } from '../../../core/delos/virtual-log/features.ts'
import { presentServers, type RegisterValue } from '../../../core/delos/virtual-log/value.ts'
import type { VirtualLog } from '../virtual-log/virtual-log.ts'
import { refusalOf, type Refusal } from './admin-refusal.ts'
import type { Members } from './members.ts'

export interface FeatureRow {
  name: string
  /** null: the server that was asked does not know it */
  what: string | null
  /** position from which on it holds; null: it is dormant */
  since: number | null
  /** names of servers that know it, that do not, and that do not answer */
  knownBy: string[]
  unknownTo: string[]
  silent: string[]
}

interface Options {
  log: VirtualLog
  members: Members
  features: readonly Feature[]
}

/** Every feature that the server asked knows, that another one says it knows, or that is enabled. */
export function featureRows({ log, members, features }: Options): FeatureRow[] {
  const value = log.value()
  const said = [...members.health().values()].flatMap((health) => health.features)
  const names = new Set([...features.map(({ name }) => name), ...value.features.map(({ name }) => name), ...said])
  return [...names].toSorted().map((name) => rowOf(value, name, { members, features }))
}

function rowOf(value: RegisterValue, name: string, { members, features }: Omit<Options, 'log'>): FeatureRow {
  const health = members.health()
  const row: FeatureRow = {
    name,
    what: features.find((feature) => feature.name === name)?.what ?? null,
    since: value.features.find((feature) => feature.name === name)?.since ?? null,
    knownBy: [],
    unknownTo: [],
    silent: [],
  }
  for (const { server, id, name: of } of presentServers(value)) {
    const said = health.get(server)
    const list = said?.isReachable !== true ? row.silent : said.features.includes(name) ? row.knownBy : row.unknownTo
    list.push(of === '' ? id : of)
  }
  return row
}

/** Enables a feature from the next position on: the log goes on in a new loglet, so that nobody applies anything behind it without knowing. */
export async function enableFeature(options: Options, { name, dryRun }: { name: string; dryRun: boolean }): Promise<FeatureRow | Refusal> {
  const { log } = options
  const whyNot = (value: RegisterValue): string | null => {
    const { what, unknownTo, silent } = rowOf(value, name, options)
    if (what === null) return `there is no feature ${name} in the program of the server that was asked`
    if (unknownTo.length > 0) return `${unknownTo.join(', ')} would stop: the program there does not know ${name}`
    return silent.length > 0 ? `${silent.join(', ')} does not answer, so nobody knows whether it knows ${name}` : null
  }
  const row = rowOf(log.value(), name, options)
  if (row.since !== null) return row
  const problem = whyNot(log.value())
  if (problem !== null) return { code: 'DELOS_RECONFIGURE_REFUSED', message: problem }
  if (dryRun) return row
  const outcome = await log.change({ kind: 'feature', name, since: null }, whyNot)
  return outcome.kind === 'done' ? rowOf(outcome.value, name, options) : refusalOf(outcome)
}
