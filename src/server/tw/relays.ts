import { randomBytes } from 'node:crypto'
import { sealedPart, type SealedBeat } from '../../core/contracts/beats.ts'
import type { FromServer } from '../../core/contracts/node.ts'
import type { ReadDb } from '../../core/contracts/storage.ts'
import { RelayPlan, type RelayPlace } from '../../core/tw/queries.ts'
import { isShortMac } from '../../platform/short-mac.ts'
import type { Beat } from './beat.ts'

/** Above so many agents of other machines they beat over relays. */
const RELAYS_FROM = 2000
/** With fewer than this part of it nobody does any more: a fleet at the edge does not change its mind all the time. */
const STILL = 0.75
/** A beat a second waits up to a second for the relay's frame; who was not heard for this long is not heard over its relay. */
const LATE_MS = 3000
/** When the first one is late that beats over a relay that serves no more, all have been unheard for this long. */
const QUIET_MS = 2000
/** Who was not heard over a relay, or whose agents were not heard over it, beats for itself for so long. */
const BARRED_MS = 60_000
/** A round that comes so late says that this server stood still, and not who is late. */
const ROUND_LATE_MS = 2000
/** Agents told in one round: each opens a connection. */
const TOLD_MAX = 1000
/** Pings whose times are known; of older ones no beat is good. */
const PINGS = 32
/** A beat counts as made at most so long after the ping it names: they come once a second. So long, too, a relay can keep a dead node alive. */
const AFTER_PING_MS = 2000

/** Reads `MUSTER_TW_RELAYS_FROM`: above how many agents of other machines they beat over relays. */
export function relaysFrom(env: NodeJS.ProcessEnv): number {
  const text = env['MUSTER_TW_RELAYS_FROM'] ?? ''
  return /^\d{1,9}$/.test(text) ? Number(text) : RELAYS_FROM
}

export interface RelaysOptions {
  db: ReadDb
  beats: ReadonlyMap<string, Beat>
  send: (node: string, message: FromServer) => void
  /** above so many agents */
  from?: number
  /** ms that only go forward */
  clock?: () => number
}

/** One whose stream is open and who can beat over others. */
interface Candidate {
  /** where it takes the beats of others */
  address: string
  /** what its stream was told last */
  told: string | null
  toldAtMs: number
  /** of its stream; null: it never beat over another one */
  key: Uint8Array | null
}

/**
 * Which agents beat over which (`RelayPlan`), and whether what comes over a relay is to be believed. All of it is of this reign, and of the
 * streams that are open. It is the server that looks whether a relay serves: whoever is not heard over it is told on its own stream to beat for itself.
 */
export class Relays {
  readonly #options: RelaysOptions
  readonly #from: number
  readonly #clock: () => number
  #plan = new RelayPlan()
  readonly #candidates = new Map<string, Candidate>()
  readonly #barredUntilMs = new Map<string, number>()
  /** candidates that are in no plan yet */
  readonly #arrived = new Set<string>()
  /** whose relay may be another than it was told */
  readonly #changed = new Set<string>()
  #isOn = false
  #roundAtMs: number
  #pings = 0
  readonly #pingAtMs = new Float64Array(PINGS)

  constructor(options: RelaysOptions) {
    this.#options = options
    this.#from = options.from ?? RELAYS_FROM
    this.#clock = options.clock ?? (() => performance.now())
    this.#roundAtMs = this.#clock()
  }

  /** An agent whose stream is open says where it takes beats of others; null: nowhere. */
  hear(node: string, address: string | null): void {
    if (address === null) return this.gone(node)
    const known = this.#candidates.get(node)
    if (known?.address === address) return
    // Another port is another life: who beats over it comes anew.
    this.gone(node)
    this.#candidates.set(node, { address, told: null, toldAtMs: 0, key: null })
    this.#arrived.add(node)
  }

  /** Its stream is closed, or is another one now, which was told nothing. */
  gone(node: string): void {
    if (!this.#candidates.delete(node)) return
    this.#arrived.delete(node)
    this.#changed.delete(node)
    this.#leave(node)
  }

  /** The number of the ping that is sent now. */
  nextPing(): number {
    this.#pings += 1
    this.#pingAtMs[this.#pings % PINGS] = this.#clock()
    return this.#pings
  }

  /** How long ago a beat was made that came over a relay, at least, ms; null: it is not to be believed. */
  ageOf(node: string, beat: SealedBeat): number | null {
    const key = this.#candidates.get(node)?.key ?? null
    if (key === null || beat.ping < 1 || beat.ping > this.#pings || beat.ping <= this.#pings - PINGS) return null
    if (!isShortMac(key, sealedPart(beat), beat.mac)) return null
    return Math.max(beat.heldMs, this.#clock() - (this.#pingAtMs[beat.ping % PINGS] ?? 0) - AFTER_PING_MS)
  }

  /** Once a second: who is late, who has come, and who is to be told. */
  round(): void {
    const now = this.#clock()
    const isLate = now - this.#roundAtMs > ROUND_LATE_MS
    this.#roundAtMs = now
    const count = this.#candidates.size
    const isOn = count > this.#from || (this.#isOn && count > this.#from * STILL)
    if (isOn !== this.#isOn) this.#turn(isOn)
    if (!isOn) return this.#tell()
    if (!isLate) this.#barLate(now)
    for (const [node, untilMs] of this.#barredUntilMs) {
      if (untilMs > now) continue
      this.#barredUntilMs.delete(node)
      if (this.#candidates.has(node)) this.#arrived.add(node)
    }
    this.#join()
    this.#tell()
  }

  #turn(isOn: boolean): void {
    this.#isOn = isOn
    this.#plan = new RelayPlan()
    this.#arrived.clear()
    for (const node of this.#candidates.keys()) (isOn ? this.#arrived : this.#changed).add(node)
  }

  /** Who is late is so by its relay's fault when that is quiet, or most that beat over it are; else it is its own way that fails. */
  #barLate(now: number): void {
    const { beats } = this.#options
    const ageOf = (node: string): number => beats.get(node)?.ageMs ?? 0
    const late = new Map<string, string[]>()
    const quiet = new Map<string, number>()
    for (const [node, { told, toldAtMs }] of this.#candidates) {
      if (told === null || told !== this.#plan.relayOf(node)) continue
      // What was before it was told is no matter of this relay.
      const ageMs = Math.min(ageOf(node), now - toldAtMs)
      if (ageMs <= QUIET_MS) continue
      quiet.set(told, (quiet.get(told) ?? 0) + 1)
      if (ageMs > LATE_MS) late.set(told, [...(late.get(told) ?? []), node])
    }
    for (const [relay, nodes] of late) {
      const isAtFault = ageOf(relay) > QUIET_MS || (quiet.get(relay) ?? 0) * 2 > this.#plan.agentsOver(relay)
      for (const node of isAtFault ? [relay] : nodes) this.#bar(node, now)
    }
  }

  #bar(node: string, now: number): void {
    this.#barredUntilMs.set(node, now + BARRED_MS)
    this.#changed.add(node)
    this.#leave(node)
  }

  #leave(node: string): void {
    for (const { node: left } of this.#plan.leave(node)) {
      this.#arrived.add(left)
      this.#changed.add(left)
    }
  }

  #join(): void {
    const places = [...this.#arrived].flatMap((node): RelayPlace[] => {
      if (this.#barredUntilMs.has(node)) return []
      const place = this.#options.db.get<RelayPlace>('SELECT name AS node, region, zone, rack FROM tw_node WHERE name = ?', node)
      if (place === undefined) return []
      this.#arrived.delete(node)
      return [place]
    })
    this.#plan.join(places)
    for (const { node } of places) this.#changed.add(node)
  }

  #tell(): void {
    let left = TOLD_MAX
    for (const node of this.#changed) {
      if (left === 0) return
      this.#changed.delete(node)
      const candidate = this.#candidates.get(node)
      const relay = this.#plan.relayOf(node)
      if (candidate === undefined || candidate.told === relay) continue
      const address = relay === null ? undefined : this.#candidates.get(relay)?.address
      candidate.told = relay
      candidate.toldAtMs = this.#clock()
      left -= 1
      if (relay === null || address === undefined) this.#options.send(node, { kind: 'via', relay: null })
      else {
        candidate.key ??= randomBytes(16)
        const key = Buffer.from(candidate.key).toString('base64')
        this.#options.send(node, { kind: 'via', relay: { node: relay, address, key } })
      }
    }
  }
}
