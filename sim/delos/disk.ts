import type { Prng } from '../../src/core/kernel/prng.ts'
import { FRESH, type AcceptorState, type Durable, type Write } from '../../src/core/delos/paxos/contract.ts'
import type { Accepted, SlotRange } from '../../src/core/delos/paxos/messages.ts'

/** One server's files of one loglet: what is on disk for good, and what a crash may take. */
export class Disk {
  state: AcceptorState = FRESH
  records = new Map<number, Accepted>()
  committed = 0
  unknown: SlotRange[] = []
  queued: Write[] = []
  syncing: Write[] = []

  #keep(accepted: Accepted): void {
    const mine = this.records.get(accepted.slot)
    if (mine === undefined || mine.ballot <= accepted.ballot) this.records.set(accepted.slot, accepted)
  }

  /** What was found damaged is noted in the state from now on. */
  #setState(state: AcceptorState): void {
    this.state = state
    this.unknown = []
  }

  /** The newest record of a slot that was written, synced or not. */
  find(slot: number): Accepted | undefined {
    const writes = [...this.syncing, ...this.queued].reverse()
    for (const { records } of writes) {
      const record = records.findLast((each) => each.slot === slot)
      if (record !== undefined) return record
    }
    return this.records.get(slot)
  }

  /** fdatasync returned; gives the id of the last write it covered. */
  finishSync(): number {
    let upTo = 0
    for (const write of this.syncing) {
      if (write.state !== null) this.#setState(write.state)
      for (const record of write.records) this.#keep(record)
      this.committed = Math.max(this.committed, write.committed)
      upTo = write.id
    }
    this.syncing = []
    return upTo
  }

  /**
   * Of what was not synced, some survives: writes in their order; of the first one lost, its state or some of its records may
   * be there, and the next record may be torn.
   */
  crash(prng: Prng): void {
    const writes = [...this.syncing, ...this.queued]
    this.syncing = []
    this.queued = []
    const whole = prng.below(writes.length + 1)
    for (const [i, write] of writes.entries()) {
      if (i > whole) return
      const isWhole = i < whole
      if (write.state !== null && (isWhole || prng.next() < 0.5)) this.#setState(write.state)
      const kept = isWhole ? write.records.length : prng.below(write.records.length + 1)
      for (const record of write.records.slice(0, kept)) this.#keep(record)
      const torn = write.records[kept]
      if (torn !== undefined && prng.next() < 0.3) this.#doubt(torn.slot)
    }
  }

  /** A bad last record: it cannot be told from one that was acknowledged. */
  #doubt(slot: number): void {
    // The record of an older ballot at this slot, if any, is whole; whether a newer one was there is what is not known.
    this.unknown = [...this.unknown.filter(({ to }) => to !== null), { from: slot, to: null }]
  }

  /** A bit flips in a record: its checksum tells. */
  rot(prng: Prng): void {
    const slots = [...this.records.keys()].sort((a, b) => a - b)
    const slot = slots[Math.max(0, slots.length - 1 - prng.below(Math.min(slots.length, 6)))]
    if (slot === undefined) return
    this.records.delete(slot)
    const isLast = slot === slots.at(-1)
    this.unknown.push({ from: slot, to: isLast ? null : slot })
  }

  /** What the files give at start, as the journal does: what is chosen is left out, and given for itself. */
  read(firstPosition: number, isEndForgotten: boolean): Durable & { chosen: Accepted[] } {
    let whole = 0
    while (this.records.has(whole + 1) && !this.unknown.some(({ from, to }) => whole + 1 >= from && (to === null || whole + 1 <= to)))
      whole += 1
    const committed = Math.min(this.committed, whole)
    const last = this.records.get(committed)?.batch
    // The end of a sealed loglet is given: by nothing else is it known that nothing may follow.
    const slot = last?.kind === 'end' && !isEndForgotten ? committed - 1 : committed
    const sorted = [...this.records.values()].sort((a, b) => a.slot - b.slot)
    return {
      state: this.state,
      accepted: sorted.filter((record) => record.slot > slot),
      chosen: sorted.filter((record) => record.slot <= committed),
      committed,
      base: { slot, position: last === undefined ? firstPosition : last.position + last.count },
      unknown: this.unknown,
    }
  }
}
