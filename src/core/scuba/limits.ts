import { refuse, type MusterError } from '../kernel/errors.ts'

/** Every bound of the store in one place. Bytes, rows, milliseconds. */
export const LIMITS = {
  columnsMax: 1000,
  keyBytesMax: 256,
  /** longest text value, in UTF-8; longer ones are cut */
  valueBytesMax: 65_536,
  rowBytesMax: 1024 * 1024,
  requestBytesMax: 64 * 1024 * 1024,
  inflatedBytesMax: 256 * 1024 * 1024,
  nestingMax: 5,
  tablesMax: 1000,
  /** rows may be this far ahead of the leaf's clock before their time is taken to be wrong */
  futureMsMax: 10 * 60_000,
  /** bad lines of one batch that are kept in the quarantine; the rest is only counted */
  quarantineLinesMax: 1000,
  quarantineLineCharsMax: 4096,
  /** waiting batches of a leaf together */
  waitingBytesMax: 256 * 1024 * 1024,
  /** bodies from this size on are kept as they came in, if they can be */
  rawBytesMin: 256 * 1024,
  chunkBytesMax: 32 * 1024 * 1024,
  /** what a table has unsealed is sealed when it is so much; or so much and that old; or older than a minute */
  sealBytes: 256 * 1024 * 1024,
  sealSoonBytes: 64 * 1024 * 1024,
  sealSoonAgeMs: 10_000,
  sealAgeMs: 60_000,
  /** unsealed bytes of a leaf, and how long sealing them may take, before senders have to wait */
  backlogBytesMax: 4 * 1024 * 1024 * 1024,
  backlogMsMax: 60_000,
  /** copies of a row in all */
  replicasMax: 3,
  /** batches that wait for a copy of theirs; beyond it the copy is made anew from segments */
  replicaWaitingBytesMax: 64 * 1024 * 1024,
  /** new columns of a table in a minute; further keys are kept in `_rest` */
  newColumnsMax: 100,
  journalBytesMax: 64 * 1024 * 1024,
  dedupeMs: 24 * 3_600_000,
  dedupeKeysMax: 500_000,
  answerRowsMax: 100_000,
  /** rows of other leaves, or of ClickHouse, that travel to the engine for one question, and their bytes */
  travelRowsMax: 5_000_000,
  travelBytesMax: 256 * 1024 * 1024,
  deadlineMs: 5000,
  deadlineMsMax: 60_000,
  /** rows × columns that one question may read */
  cellsMax: 10_000_000_000,
  /** queries of one user that run at once, and that wait for that */
  userRunningMax: 8,
  userWaitingMax: 32,
  partialCacheBytesMax: 192 * 1024 * 1024,
  /** of sealed segments, on the disk */
  partialDiskBytesMax: 1024 * 1024 * 1024,
  answerCacheBytesMax: 64 * 1024 * 1024,
  /** panels that boards show: their answers as they go out, and how many */
  boardCacheBytesMax: 96 * 1024 * 1024,
  boardPanelsMax: 20_000,
  panelGroupsMax: 1000,
  panelStepsMax: 5000,
  // Connections of PostgreSQL's protocol, and what one of them may hold.
  pgConnectionsMax: 100,
  pgMessageBytesMax: 1024 * 1024,
  pgSqlCharsMax: 500_000,
  pgStatementsMax: 256,
  pgPortalsMax: 16,
  pgParametersMax: 1000,
  /** until it has logged in */
  pgLoginMs: 15_000,
  pgIdleMs: 3_600_000,
  /** a portal that waits for its client holds files and a connection of the engine */
  pgPortalIdleMs: 300_000,
  /** rows that wait for a slow reader */
  pgWaitingBytesMax: 1024 * 1024,
  /** objectives of all SLOs together: each has 0.8 MB of history in the server */
  objectivesMax: 200,
  /** of one service */
  exclusionsMax: 500,
} as const

/** Bounds that a leaf can be started with other values of: what travels between leaves for one question, and what is kept on the disk of earlier ones. */
export type Bounds = Record<'travelRowsMax' | 'travelBytesMax' | 'partialDiskBytesMax', number>

export const BOUNDS: Bounds = {
  travelRowsMax: LIMITS.travelRowsMax,
  travelBytesMax: LIMITS.travelBytesMax,
  partialDiskBytesMax: LIMITS.partialDiskBytesMax,
}

/** @param settings `NAME=NUMBER` each; what is not named stays */
export function boundsOf(settings: readonly string[]): Bounds | MusterError {
  const bounds = { ...BOUNDS }
  for (const setting of settings) {
    const [name = '', value = ''] = setting.split('=')
    if (!Object.hasOwn(BOUNDS, name) || !/^[1-9]\d{0,14}$/.test(value))
      return refuse('USAGE', `${JSON.stringify(setting)} is no limit`, {
        hint: `Write NAME=NUMBER, with one of ${Object.keys(BOUNDS).join(', ')}.`,
      })
    bounds[name as keyof Bounds] = Number(value)
  }
  return bounds
}
