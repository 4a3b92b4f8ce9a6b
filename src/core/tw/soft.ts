import type { ZoneTable } from '../kernel/zone.ts'

/** What the server measured of a node's agent; it is lost with the server, never logged. */
export interface NodeBeat {
  /** log time of the last report, ms */
  at: number
  bootId: string
  /** log position up to which its proxy follows the mesh; 0: no proxy */
  meshPosition: number
  /** its stream is open now */
  connected: boolean
}

/** Soft view of tw's controllers, given by the server. */
export interface TwSoft {
  beats: ReadonlyMap<string, NodeBeat>
  /** log time since which this server listens for beats: before that a missing beat says nothing */
  since?: number
  /** the table of a time zone, from the server's one source; null: there is no such zone */
  zoneOf?: (zone: string) => ZoneTable | null
}

/** Silent so long, a node is suspect; nothing is decided on it yet. */
export const SUSPECT_MS = 6000
/** Silent so long, a node is lost. */
export const LOST_MS = 10_000
