import { formatSize } from '../../kernel/units.ts'

/** Amounts of what nodes have: cpu in thousandths of a core, memory in bytes, GPUs in thousandths by model. */
export interface Amounts {
  cpuMilli: number
  memoryBytes: number
  /** model → milli GPUs */
  gpus: Record<string, number>
}

/** Of a limit: null is without limit, and a model that is not named has none. */
export interface Limits {
  cpuMilli: number | null
  memoryBytes: number | null
  gpus: Record<string, number>
}

export const NOTHING: Amounts = { cpuMilli: 0, memoryBytes: 0, gpus: {} }

/** Who takes any model is counted by this one. */
export const ANY_MODEL = '*'

/** `a + times · b`. */
export function plus(a: Amounts, b: Amounts, times = 1): Amounts {
  return {
    cpuMilli: a.cpuMilli + times * b.cpuMilli,
    memoryBytes: a.memoryBytes + times * b.memoryBytes,
    gpus: byModel(a.gpus, b.gpus, (x, y) => x + times * y),
  }
}

/** The larger of each. */
export function larger(a: Amounts, b: Amounts): Amounts {
  return {
    cpuMilli: Math.max(a.cpuMilli, b.cpuMilli),
    memoryBytes: Math.max(a.memoryBytes, b.memoryBytes),
    gpus: byModel(a.gpus, b.gpus, Math.max),
  }
}

function byModel(a: Record<string, number>, b: Record<string, number>, of: (a: number, b: number) => number): Record<string, number> {
  const models = [...new Set([...Object.keys(a), ...Object.keys(b)])].sort()
  return Object.fromEntries(models.map((model) => [model, of(a[model] ?? 0, b[model] ?? 0)] as const).filter(([, n]) => n !== 0))
}

/** Where `a` is more than `limit`, in words: `cpu: 9 of 8`; null where it is nowhere. Only where `touched` asks for something. */
export function excess(a: Amounts, limit: Limits, touched: Amounts): string | null {
  if (touched.cpuMilli > 0 && limit.cpuMilli !== null && a.cpuMilli > limit.cpuMilli)
    return `cpu: ${cpu(a.cpuMilli)} of ${cpu(limit.cpuMilli)}`
  if (touched.memoryBytes > 0 && limit.memoryBytes !== null && a.memoryBytes > limit.memoryBytes)
    return `memory: ${formatSize(a.memoryBytes)} of ${formatSize(limit.memoryBytes)}`
  for (const model of Object.keys(touched.gpus)) {
    const most = limit.gpus[model]
    if (most !== undefined && (a.gpus[model] ?? 0) > most) return `GPU ${model}: ${(a.gpus[model] ?? 0) / 1000} of ${most / 1000}`
  }
  return null
}

function cpu(milli: number): string {
  return milli % 1000 === 0 ? String(milli / 1000) : `${milli}m`
}
