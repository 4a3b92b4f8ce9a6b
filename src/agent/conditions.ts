import { accessSync, constants, readFileSync, statfsSync } from 'node:fs'
import type { NodeReport } from '../core/contracts/node.ts'

type Conditions = NonNullable<NodeReport['conditions']>

const FREE_MIN = 0.1
const CLOCK_OFF_MS = 250
const PRESSURE_MAX = 40
/** So that a value at its limit does not come and go with each look. */
const MARGIN = 1.1

/** What is wrong with this machine, looked at now and then. Percentages are whole numbers, so that a report changes when it is news. */
export class ConditionWatch {
  readonly #folder: string
  #found: Conditions = {}
  #clockOffMs = 0

  /** @param folder where tasks live */
  constructor(folder: string) {
    this.#folder = folder
  }

  get found(): Conditions {
    return this.#found
  }

  /** The server said its time. The way here only makes ours look later, so the least difference of a round counts. */
  hearTime(serverMs: number): void {
    this.#clockOffMs = Date.now() - serverMs
  }

  /** @returns whether conditions came or went */
  look(): boolean {
    const found: Conditions = {}
    const before = this.#found
    const limit = (name: keyof Conditions): number => (before[name] === undefined ? FREE_MIN : FREE_MIN * MARGIN)
    const { blocks, bavail, files, ffree } = statfsSync(this.#folder)
    if (blocks > 0 && bavail / blocks < limit('disk-full')) found['disk-full'] = `${Math.floor((bavail * 100) / blocks)} % free`
    if (files > 0 && ffree / files < limit('inodes-full')) found['inodes-full'] = `${Math.floor((ffree * 100) / files)} % free`
    if (!isWritable(this.#folder)) found['read-only'] = this.#folder
    if (Math.abs(this.#clockOffMs) > CLOCK_OFF_MS) found['clock-off'] = `${Math.round(this.#clockOffMs / 100) * 100} ms`
    const pressure = memoryPressure()
    if (pressure > PRESSURE_MAX) found['memory-pressure'] = `${Math.floor(pressure)} %`
    this.#found = found
    return Object.keys(found).join() !== Object.keys(before).join()
  }
}

function isWritable(folder: string): boolean {
  try {
    accessSync(folder, constants.W_OK)
    return true
  } catch {
    return false
  }
}

/** Share of the last ten seconds in which some process waited for memory, in %; 0 where the kernel does not say (PSI is off). */
function memoryPressure(): number {
  try {
    return Number(/^some avg10=([\d.]+)/.exec(readFileSync('/proc/pressure/memory', 'utf8'))?.[1] ?? 0)
  } catch {
    return 0
  }
}
