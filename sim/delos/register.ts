import type { Segment } from './world.ts'

/** The register that holds the chain: one value, written only by compare-and-set. Here it never fails; it is a part of its own. */
export class Register {
  value: Segment[]

  constructor(first: Omit<Segment, 'loglet'>) {
    this.value = [{ ...first, loglet: 1 }]
  }

  /** Appends a successor to `loglet` if that is the last one still. */
  append(loglet: number, next: Omit<Segment, 'loglet'>): boolean {
    if (this.value.at(-1)?.loglet !== loglet) return false
    this.value = [...this.value, { ...next, loglet: loglet + 1 }]
    return true
  }
}
