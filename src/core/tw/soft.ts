import type { OpContext } from '../contracts/operation.ts'
import type { ReadDb } from '../contracts/storage.ts'
import type { ZoneTable } from '../kernel/zone.ts'
import type { FleetCache } from './controllers/fleet-cache.ts'
import { imageOf } from './scheduler/fleet.ts'
import type { FleetImage } from './scheduler/image.ts'

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
/**
 * Silent so long, many nodes at once are lost when their peers do not reach them either: that is more than silence, and to give up all of their
 * tasks takes its time as well.
 */
export const DOMAIN_LOST_MS = 8000

/** The planner's image for a controller: the kept one, else one built from the state. What is tried on it is to be taken back. */
export function plannersImage(db: ReadDb, soft: Pick<TwSoft, 'cache' | 'position'> | undefined): FleetImage {
  return soft?.cache === undefined ? imageOf(db) : soft.cache.image(db, soft.position?.() ?? 0)
}

/** Who asks an operation, as far as what it plans depends on that. */
export type Asked = Pick<OpContext, 'now' | 'position' | 'soft'>

/**
 * What `plan` finds on the planner's image of the fleet, with every load as it was afterwards. It is the kept image where that stands exactly
 * at the position the operation is asked at, so that an answer does not wait for all nodes and tasks to be read; else one built from the state.
 */
export function onImage<T>(db: ReadDb, { soft, position }: Asked, plan: (image: FleetImage) => T): T {
  const kept = (soft as Partial<TwSoft> | undefined)?.cache?.imageAt(position - 1) ?? null
  return kept === null ? plan(imageOf(db)) : kept.attempt(() => plan(kept))
}
