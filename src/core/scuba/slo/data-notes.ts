import { formatDuration } from '../../kernel/units.ts'
import type { ObjectiveStatus } from '../operations/slo.ts'

const DAY_MS = 86_400_000

type Covered = Pick<ObjectiveStatus, 'service' | 'objective' | 'dataFromMs' | 'windowFromMs' | 'asOfMs'>

/** From how much data an objective's figure is, where that is not the whole window; else null. */
export function dataText({ dataFromMs, windowFromMs, asOfMs }: Omit<Covered, 'service' | 'objective'>): string | null {
  if (windowFromMs === null || asOfMs === null) return null
  if (dataFromMs === null) return 'no data yet'
  if (dataFromMs - windowFromMs < DAY_MS / 24) return null
  const ms = asOfMs - dataFromMs
  return `from ${ms >= DAY_MS ? `${Number((ms / DAY_MS).toFixed(1))} d` : formatDuration(ms)} of data`
}

/** The same of many, each text once: `all: from 2 d of data`, or the services and objectives it holds for. */
export function dataNotes(objectives: readonly Covered[]): string[] {
  const byText = new Map<string, Covered[]>()
  for (const one of objectives) {
    const text = dataText(one)
    if (text !== null) byText.set(text, [...(byText.get(text) ?? []), one])
  }
  return [...byText].map(
    ([text, of]) => `${of.length === objectives.length && of.length > 1 ? 'all' : namesOf(of, objectives).join(', ')}: ${text}`,
  )
}

/** A service all of whose objectives are meant is named once. */
function namesOf(of: readonly Covered[], all: readonly Covered[]): string[] {
  return [...new Set(of.map(({ service }) => service))].flatMap((service) => {
    const mine = of.filter((one) => one.service === service)
    const isWhole = mine.length > 1 && mine.length === all.filter((one) => one.service === service).length
    return isWhole ? [service] : mine.map(({ objective }) => `${service} ${objective}`)
  })
}
