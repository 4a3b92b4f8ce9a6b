import type { SenderSkew } from './rows/senders.ts'
import type { ColumnTypes } from './rows/columns.ts'
import type { QuotaCounts } from './quota/quota.ts'
import type { DiskLevel } from './seal/pressure.ts'
import type { LeafNote } from './wal/manifest.ts'

/** What a leaf says of itself (`GET /v1/scuba/observed`), for the server to conclude entries from. */
export interface Observed {
  /** name of the leaf, for good */
  leaf: string
  /** another one when something of this is new, but for rows, bytes and segments */
  mark: string
  /** of the registry it works by */
  registryVersion: number
  /** how full its disk is; not there: an older leaf */
  disk?: DiskLevel | undefined
  tables: Record<string, ObservedTable>
  /** segments that are not read */
  lost: { table: string; file: string; rows: number; reason: string }[]
  /** the newest 1,000, oldest first */
  notes: LeafNote[]
  /** derived columns the engine does not take, which are left out of their table */
  broken: { table: string; column: string; reason: string }[]
  /** copies of its rows on other leaves */
  copies?: CopyState[] | undefined
  /** copies of others' rows on it */
  holds?: HeldCopy[] | undefined
  /** shards it has put everything in order for: what was its copy is its own by now */
  owns?: string[] | undefined
  /** rows it set aside because its shard is another leaf's now */
  asideRows?: number | undefined
}

/** How far a copy of a leaf's rows is, as that leaf sees it. */
export interface CopyState {
  leaf: string
  /** `following`: whatever was acknowledged is there, or on its way at this moment */
  state: 'following' | 'catching-up' | 'away'
  /** not there yet */
  waitingBytes: number
  /** of what it is a copy: of replicated tables; of all, while the leaf is leaving; of all, and nothing comes in any more */
  of?: 'replicated' | 'copying' | 'draining' | undefined
}

/** A copy of another leaf's rows. */
export interface HeldCopy {
  /** whose rows they are */
  of: string
  /** newest batch of theirs */
  seq: number
  /** shard → epoch at which the copy was whole; every batch acknowledged by `replicas` since then is in it */
  epochs: Readonly<Record<string, number>>
  segments: number
  rows: number
}

export interface ObservedTable {
  columns: ColumnTypes
  rows: number
  bytes: number
  segments: number
}

/** A leaf of another node, as it was last looked at. */
export interface PeerSeen {
  leaf: string
  /** null: it has not answered in this reign */
  observed: Observed | null
  /** log time since which it has not answered; null: it answers */
  silentSinceMs: number | null
  health: {
    pid: number
    backlogBytes: number
    diskLevel: DiskLevel
    clickhouse?: { where: string; away: string | null } | null | undefined
    senders?: SenderSkew[] | undefined
    quotas?: QuotaCounts[] | undefined
    strictTokens?: string[] | undefined
  } | null
}

/** A leaf silent for this long is lost. */
export const LEAF_LOST_MS = 30_000

/** What the server's controllers and operations know of the leaf beside the state. */
export interface RegistrySoft {
  /** null: no answer yet in this reign */
  observed: Observed | null
  /** name of the leaf on this server's disk, whether it answers or not; null: not known yet */
  leaf: string | null
  /** log time since which it has not answered; null: it answers */
  silentSinceMs: number | null
  /** leaves of other nodes; without: none */
  peers?: readonly PeerSeen[]
  /** how long a leaf is silent before it is lost, ms; without: {@link LEAF_LOST_MS} */
  leafLostMs?: number
  /** of an incident by its number; null: there is none. Without: nobody knows of incidents */
  incidentTitle?: (sev: number) => string | null
}
