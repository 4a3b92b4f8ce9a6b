/** One server of the view, as another one knows it. */
export interface ViewServer {
  id: bigint
  /** last position whose rows are on its disk; null: it has not said yet */
  durable: number | null
  /** last position that is in its archive; null: it keeps none */
  archived?: number | null
  /** ms, by the clock of who keeps the view: when it last said so, or since when it is waited for */
  heardAtMs: number
}

export interface TrimRules {
  /** positions kept below the least durable one, so that who lags a little needs no snapshot */
  margin: number
  /** a server silent for longer holds nothing back, and will need a snapshot */
  silentMs: number
}

export const TRIM_RULES: TrimRules = { margin: 10_000, silentMs: 24 * 60 * 60 * 1000 }

/**
 * The position below which no server needs the log any more: what it says there is in everybody's rows, on disk. A server that never said
 * where it is needs all of it. At least 1, which trims nothing.
 * @param self never leaves the view, however long it was silent: who has no rows must not throw away what they are made from
 */
export function trimPosition(self: bigint, servers: readonly ViewServer[], nowMs: number, rules: TrimRules = TRIM_RULES): number {
  const counted = servers.filter((server) => isCounted(self, server, nowMs, rules))
  if (!counted.some(({ id }) => id === self)) return 1
  return Math.max(1, Math.min(...counted.map((server) => neededFrom(server, rules).position)))
}

export function isCounted(self: bigint, { id, heardAtMs }: ViewServer, nowMs: number, rules: TrimRules): boolean {
  return id === self || nowMs - heardAtMs <= rules.silentMs
}

/** From which position on the log is needed for a server, and what for. */
export interface Need {
  /** `unheard`: it has not said where it is */
  by: 'unheard' | 'rows' | 'archive'
  position: number
}

/** Its rows and the margin below them, or its archive: what reaches back further. */
export function neededFrom({ durable, archived = null }: ViewServer, { margin }: TrimRules): Need {
  if (durable === null) return { by: 'unheard', position: 1 }
  const rows = Math.max(1, durable - margin)
  return archived !== null && archived + 1 < rows ? { by: 'archive', position: archived + 1 } : { by: 'rows', position: rows }
}
