import { specText, type ArtefactSpec } from './artefact.ts'

/** What would help a table's questions, and how much. */
export interface Want {
  table: string
  spec: ArtefactSpec
  /** engine time of the questions it would have helped, ms, halved with each hour since */
  heat: number
  /** segments with rows from here on were asked for, µs */
  fromUs: number
  /** since when its heat has been below what keeps an artefact, ms; null: it is not */
  coolSinceMs: number | null
}

interface Held {
  table: string
  spec: ArtefactSpec
  heat: number
  atMs: number
  fromUs: number
  coolSinceMs: number | null
}

export const HEAT = {
  halfLifeMs: 3_600_000,
  /** enough to build for: two seconds of an engine in the last hour or so */
  buildMs: 2000,
  /** below this for so long, an artefact goes */
  keepMs: 500,
  coolMs: 6 * 3_600_000,
  /** most wants that are remembered; the coldest go */
  wantsMax: 500,
} as const

/** What was asked lately and cost the engine time. Soft state: lost with the process, and learned again. */
export class Heat {
  readonly #held = new Map<string, Held>()

  /** @param costMs engine time that the question took and an artefact would save */
  note(table: string, spec: ArtefactSpec, costMs: number, fromUs: number, nowMs: number): void {
    const key = `${table}\0${specText(spec)}`
    const held = this.#held.get(key)
    if (!held) {
      if (this.#held.size >= HEAT.wantsMax) this.#forgetColdest(nowMs)
      this.#held.set(key, { table, spec, heat: costMs, atMs: nowMs, fromUs, coolSinceMs: nowMs })
      return
    }
    held.heat = cooled(held, nowMs) + costMs
    held.atMs = nowMs
    held.fromUs = Math.min(held.fromUs, fromUs)
    if (held.heat >= HEAT.keepMs) held.coolSinceMs = null
  }

  /** All that is wanted, the hottest first. */
  wants(nowMs: number): Want[] {
    for (const held of this.#held.values()) {
      const isCool = cooled(held, nowMs) < HEAT.keepMs
      held.coolSinceMs = isCool ? (held.coolSinceMs ?? nowMs) : null
      // Cold, and asked anew: then only what is asked then counts.
      if (held.coolSinceMs !== null && nowMs - held.coolSinceMs > 2 * HEAT.coolMs)
        this.#held.delete(`${held.table}\0${specText(held.spec)}`)
    }
    return [...this.#held.values()]
      .map(({ table, spec, fromUs, coolSinceMs, ...held }) => ({ table, spec, heat: cooled(held, nowMs), fromUs, coolSinceMs }))
      .sort((a, b) => b.heat - a.heat)
  }

  #forgetColdest(nowMs: number): void {
    let coldest: { key: string; heat: number } | null = null
    for (const [key, held] of this.#held) {
      const heat = cooled(held, nowMs)
      if (coldest === null || heat < coldest.heat) coldest = { key, heat }
    }
    if (coldest) this.#held.delete(coldest.key)
  }
}

const cooled = ({ heat, atMs }: Pick<Held, 'heat' | 'atMs'>, nowMs: number): number =>
  heat * 0.5 ** (Math.max(0, nowMs - atMs) / HEAT.halfLifeMs)
