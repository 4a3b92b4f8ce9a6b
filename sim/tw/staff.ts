import type { Prng } from '../../src/core/kernel/prng.ts'
import { domainOf } from '../../src/core/tw/maintenance/domain.ts'
import {
  DOMAIN_LEVELS,
  isUnderWay,
  MAINTENANCE_KINDS,
  maintenanceRow,
  openMaintenance,
  workRows,
  type MaintenanceRow,
} from '../../src/core/tw/maintenance/rows.ts'
import { maintenanceAbort, maintenanceCreate, maintenanceExtend } from '../../src/core/tw/operations.ts'
import { maintenanceStepped } from '../../src/core/tw/queries.ts'
import type { ReadDb } from '../../src/core/contracts/storage.ts'
import { Violation } from '../violation.ts'
import { START_AT_MS } from './options.ts'
import type { Submitted } from './server.ts'
import type { TwWorld } from './world.ts'

const LOOK_MS = 2000
/** Longest that a machine is off while somebody works on it, ms. */
const OFF_MS_MAX = 12_000
const DAY_MS = 86_400_000
const MINUTE_MS = 60_000
/** A window is open for so long, and one of so many minutes of a run begins it. */
const WINDOW_MS = 60_000
const WINDOWS = 3

/** Those who look after the machines: they plan work on them, do it when a machine is ready for it, and give some of it up. */
export class Staff {
  readonly #world: TwWorld
  readonly #prng: Prng

  constructor(world: TwWorld, prng: Prng) {
    this.#world = world
    this.#prng = prng
  }

  start(): void {
    this.#world.queue.after(LOOK_MS * (0.5 + this.#prng.next()), () => {
      if (this.#world.isCalm) return
      this.#look()
      this.start()
    })
  }

  /** What a person would type to have work done on some machines. */
  plan(target: string): Submitted {
    const prng = this.#prng
    const kind = MAINTENANCE_KINDS[prng.below(MAINTENANCE_KINDS.length)] ?? 'reboot'
    const isHard = prng.below(2) === 0
    return this.#world.ask('staff', maintenanceCreate, {
      targets: [target],
      kind,
      command: kind === 'command' ? ['fsck'] : null,
      window: prng.below(3) === 0 ? windowIn(prng.below(WINDOWS)) : null,
      windowMs: WINDOW_MS,
      level: DOMAIN_LEVELS[prng.below(DOMAIN_LEVELS.length)] ?? 'rack',
      maxConcurrent: 1 + prng.below(2),
      deadlineMs: isHard || prng.below(2) === 0 ? 5000 + prng.below(30_000) : null,
      isHard,
    })
  }

  /** Nobody works on anything any more. */
  giveUp(): void {
    const { leader } = this.#world
    if (leader === null) return
    for (const { id } of openMaintenance(leader.db)) this.#world.ask('staff', maintenanceAbort, { maintenance: id })
  }

  #look(): void {
    const { leader } = this.#world
    if (leader === null) return
    for (const row of openMaintenance(leader.db)) {
      if (row.deadline_ms !== null && this.#prng.below(20) === 0)
        this.#world.ask('staff', maintenanceExtend, { maintenance: row.id, byMs: 1000 + this.#prng.below(20_000) })
      if (this.#prng.below(30) === 0) this.#world.ask('staff', maintenanceAbort, { maintenance: row.id })
      for (const { node, state } of workRows(leader.db, row.id)) if (state === 'working' && this.#prng.below(3) === 0) this.#work(row, node)
    }
  }

  #work(row: MaintenanceRow, node: string): void {
    if (row.kind === 'command') return this.#command(row.id, node)
    const machine = this.#world.machines.find(({ name }) => name === node)
    if (machine === undefined || machine.isGone || !machine.isUp) return
    machine.powerOff()
    if (row.kind === 'kernel') machine.identity.attributes['kernel'] = `6.${2 + this.#prng.below(20)}.0`
    this.#world.queue.after(1000 + this.#prng.next() * OFF_MS_MAX, () => machine.boot())
  }

  /** As the server carries it out: what the command said becomes an entry. */
  #command(maintenance: number, node: string): void {
    const isOk = this.#prng.below(5) > 0
    this.#world.leader?.submit('effect:tw.maintain', () => [
      maintenanceStepped.of({ maintenance, node, state: isOk ? 'verifying' : 'aborted', why: isOk ? '' : 'its command ended with 1' }),
    ])
  }
}

/** A rule whose window opens in the minute of a run that is so far away. */
function windowIn(minutes: number): string {
  const at = new Date(START_AT_MS + minutes * MINUTE_MS)
  return `FREQ=DAILY;BYHOUR=${at.getUTCHours()};BYMINUTE=${at.getUTCMinutes()}`
}

/** I12: a machine is taken in its window, and never while one of another domain of its level is worked on. */
export function mayBeMaintained(db: ReadDb, { maintenance, node }: { maintenance: number; node: string }, at: number): void {
  const row = maintenanceRow(db, maintenance)
  if (row === undefined) throw new Violation(`maintenance: ${node} is taken for ${maintenance}, which is not there`)
  const [, hour, minute] = /BYHOUR=(\d+);BYMINUTE=(\d+)/.exec(row.window ?? '') ?? []
  const sinceMs = (at % DAY_MS) - (Number(hour) * 60 + Number(minute)) * MINUTE_MS
  if (row.window !== null && (sinceMs < 0 || sinceMs >= row.window_ms))
    throw new Violation(`maintenance: ${node} is taken ${sinceMs} ms after its window ${row.window} opened`)
  for (const other of openMaintenance(db))
    for (const work of workRows(db, other.id)) {
      if (!isUnderWay(work) || work.node === node) continue
      const apart = [row.level, other.level].find((level) => domainOf(db, work.node, level) !== domainOf(db, node, level))
      if (apart !== undefined)
        throw new Violation(`maintenance: ${node} and ${work.node} are taken at once, of two domains of level ${apart}`)
    }
}
