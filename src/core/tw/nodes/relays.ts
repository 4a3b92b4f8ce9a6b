/** A node whose agent may beat over another one, and others over it. */
export interface RelayPlace {
  node: string
  region: string
  zone: string
  rack: string
}

/** Agents whose beats come in one frame, the relay's own among them. */
export const RELAY_AGENTS_MAX = 512

/**
 * Which agent beats over which: one of its rack if there is room, else one of its zone, and never further. Who finds none takes the beats of
 * whoever comes next. The same calls in the same order make the same plan, and nobody is moved without need.
 */
export class RelayPlan {
  readonly #agentsMax: number
  /** every node in the plan → over whom it beats; a relay over itself */
  readonly #relayOf = new Map<string, string>()
  /** relay → itself and all that beat over it */
  readonly #agentsOf = new Map<string, Set<string>>()
  /** relays that have room, by rack and by zone */
  readonly #roomIn = new Map<string, Set<string>>()
  readonly #places = new Map<string, RelayPlace>()

  constructor(agentsMax = RELAY_AGENTS_MAX) {
    this.#agentsMax = agentsMax
  }

  /** Over whom a node beats; null: straight to the server. */
  relayOf(node: string): string | null {
    const relay = this.#relayOf.get(node)
    return relay === undefined || relay === node ? null : relay
  }

  has(node: string): boolean {
    return this.#relayOf.has(node)
  }

  /** Agents that beat over a relay, itself left out. */
  agentsOver(relay: string): number {
    return (this.#agentsOf.get(relay)?.size ?? 1) - 1
  }

  get relays(): IterableIterator<string> {
    return this.#agentsOf.keys()
  }

  /** Takes nodes in that are not in the plan, in the order of their places, so that a rack stays together. */
  join(places: readonly RelayPlace[]): void {
    for (const place of places.toSorted(byPlace)) if (!this.has(place.node)) this.#join(place)
  }

  /** Takes a node out. Gives those that beat over it, which have to join anew. */
  leave(node: string): RelayPlace[] {
    const relay = this.#relayOf.get(node)
    if (relay === undefined) return []
    const agents = this.#agentsOf.get(relay)
    if (relay !== node) {
      this.#relayOf.delete(node)
      this.#places.delete(node)
      agents?.delete(node)
      this.#offer(relay)
      return []
    }
    this.#withdraw(relay)
    this.#agentsOf.delete(relay)
    const left = [...(agents ?? [])].flatMap((one) => (one === node ? [] : (this.#places.get(one) ?? [])))
    for (const one of agents ?? []) {
      this.#relayOf.delete(one)
      this.#places.delete(one)
    }
    return left
  }

  #join(place: RelayPlace): void {
    const found = areasOf(place).flatMap((area) => firstOf(this.#roomIn.get(area)) ?? [])[0]
    const relay = found ?? place.node
    this.#places.set(place.node, place)
    this.#relayOf.set(place.node, relay)
    const agents = this.#agentsOf.get(relay)
    if (agents === undefined) this.#agentsOf.set(relay, new Set([place.node]))
    else agents.add(place.node)
    this.#offer(relay)
  }

  /** Says of a relay whether it has room. */
  #offer(relay: string): void {
    if ((this.#agentsOf.get(relay)?.size ?? 0) >= this.#agentsMax) return this.#withdraw(relay)
    for (const area of this.#areasOf(relay)) {
      const relays = this.#roomIn.get(area)
      if (relays === undefined) this.#roomIn.set(area, new Set([relay]))
      else relays.add(relay)
    }
  }

  #withdraw(relay: string): void {
    for (const area of this.#areasOf(relay)) {
      const relays = this.#roomIn.get(area)
      relays?.delete(relay)
      if (relays?.size === 0) this.#roomIn.delete(area)
    }
  }

  #areasOf(node: string): string[] {
    const place = this.#places.get(node)
    return place === undefined ? [] : areasOf(place)
  }
}

/** The places a relay is looked for in, the nearest first. */
const areasOf = ({ region, zone, rack }: RelayPlace): string[] => [JSON.stringify([region, zone, rack]), JSON.stringify([region, zone])]

const firstOf = (relays: ReadonlySet<string> | undefined): string | undefined => relays?.values().next().value

function byPlace(a: RelayPlace, b: RelayPlace): number {
  for (const part of ['region', 'zone', 'rack', 'node'] as const) if (a[part] !== b[part]) return a[part] < b[part] ? -1 : 1
  return 0
}
