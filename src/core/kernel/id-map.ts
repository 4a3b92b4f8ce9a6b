const SLOTS_MIN = 8

/**
 * A map by whole numbers over 0, for what comes and goes with each request. A `Map` that is older than what is in it keeps all that went through it
 * until the next collection of the whole heap: V8 links each of its outgrown tables, with their entries, to the next one, and the first of them is old.
 * With a `Map` of the open streams three quarters of what survived the small collections was garbage. Here the entries alone are held.
 */
export class IdMap<Value> {
  /** 0: a free slot. An entry is at the slot that its id is hashed to, or follows it without a gap. */
  #ids: number[] = Array.from({ length: SLOTS_MIN }, () => 0)
  #values: (Value | undefined)[] = Array.from({ length: SLOTS_MIN })
  #size = 0

  get size(): number {
    return this.#size
  }

  get(id: number): Value | undefined {
    return this.#values[this.#slotOf(id)]
  }

  set(id: number, value: Value): void {
    let slot = this.#slotOf(id)
    if (this.#ids[slot] === 0) {
      this.#size += 1
      // Half of the slots are free, so that searches are short, and end.
      if (this.#size * 2 > this.#ids.length) {
        this.#grow()
        slot = this.#slotOf(id)
      }
      this.#ids[slot] = id
    }
    this.#values[slot] = value
  }

  /** @returns whether it was there */
  delete(id: number): boolean {
    const ids = this.#ids
    const values = this.#values
    const mask = ids.length - 1
    let free = this.#slotOf(id)
    if (ids[free] === 0) return false
    // Those behind it that would not be found over the gap move into it.
    for (let slot = (free + 1) & mask; ids[slot] !== 0; slot = (slot + 1) & mask) {
      const other = ids[slot] as number
      if (((slot - this.#homeOf(other)) & mask) < ((slot - free) & mask)) continue
      ids[free] = other
      values[free] = values[slot]
      free = slot
    }
    ids[free] = 0
    values[free] = undefined
    this.#size -= 1
    return true
  }

  clear(): void {
    this.#ids.fill(0)
    this.#values.fill(undefined)
    this.#size = 0
  }

  /** Those that are there now, ascending. */
  ids(): number[] {
    return this.#ids.filter((id) => id !== 0).sort((a, b) => a - b)
  }

  /** Those that are there now, by their ids, ascending. */
  values(): Value[] {
    return this.ids().map((id) => this.get(id) as Value)
  }

  #homeOf(id: number): number {
    // Ids come one after the other: the golden ratio scatters them.
    return (Math.imul(id, 0x9e37_79b1) >>> 8) & (this.#ids.length - 1)
  }

  /** Where it is, or a free slot where it would go. */
  #slotOf(id: number): number {
    const ids = this.#ids
    const mask = ids.length - 1
    let slot = this.#homeOf(id)
    while (ids[slot] !== id && ids[slot] !== 0) slot = (slot + 1) & mask
    return slot
  }

  #grow(): void {
    const [ids, values] = [this.#ids, this.#values]
    this.#ids = Array.from({ length: ids.length * 2 }, () => 0)
    this.#values = Array.from({ length: ids.length * 2 })
    ids.forEach((id, slot) => {
      if (id === 0) return
      const at = this.#slotOf(id)
      this.#ids[at] = id
      this.#values[at] = values[slot]
    })
  }
}
