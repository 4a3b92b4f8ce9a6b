import type { Entry } from '../../src/core/contracts/entry.ts'

/** The log that all servers share: durable, in one order, and open to one writer at a time. */
export class SimLog {
  readonly entries: Entry[] = []
  /** of who was let in last */
  epoch = 0

  /** Another writer from now on: what earlier ones send is refused. */
  seal(): number {
    this.epoch += 1
    return this.epoch
  }

  takes(epoch: number, position: number): boolean {
    return epoch === this.epoch && position === this.entries.length + 1
  }

  append(entry: Entry): void {
    this.entries.push(entry)
  }
}
