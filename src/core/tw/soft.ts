import type { ZoneTable } from '../kernel/zone.ts'
import type { FleetCache } from './controllers/fleet-cache.ts'

/** What the server measured of a node's agent; it is lost with the server, never logged. */
export interface NodeBeat {
  /**
   * Time since its last report, by a clock that is never set: a step of the machine's clock silences nobody. Of a node that was not heard
   * since this server listens it is the time since then, so that a new leader gives nobody up before it could have heard them.
   */
  ageMs: number
  bootId: string
  /** log position up to which its proxy follows the mesh; 0: no proxy */
  meshPosition: number
  /** its stream is open now */
  connected: boolean
  /** the node over whose agent its last beat came; absent or null: straight */
  via?: string | null
}

/** What peers in other racks found when they were asked to reach a silent node. */
export interface PeerLook {
  asked: number
  reached: number
  failed: number
}

/** Soft view of tw's controllers, given by the server. */
export interface TwSoft {
  /** of every node that the state knows */
  beats: ReadonlyMap<string, NodeBeat>
  /** the table of a time zone, from the server's one source; null: there is no such zone */
  zoneOf?: (zone: string) => ZoneTable | null
  /** of nodes that are suspect */
  looks?: ReadonlyMap<string, PeerLook>
  /** what the server keeps of the state beside it, and the position of the last entry in the state */
  cache?: FleetCache
  position?: () => number
}

/** Silent so long, a node is suspect: peers are asked to reach it, and nothing is decided on it yet. */
export const SUSPECT_MS = 6000
/** Silent so long, a node is lost: what is left of 10 s is for its loss to be decided and durable. */
export const LOST_MS = 9800
