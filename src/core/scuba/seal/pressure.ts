import { LIMITS } from '../limits.ts'

/** What a seal gave: bytes of chunks, and how long it took. */
export interface SealDone {
  bytes: number
  ms: number
}

/** Taken until the first large seal was measured; a slow machine's. Bytes a second. */
const RATE_FIRST = 40_000_000
/** Smaller ones say more of their fixed costs than of the rate. */
const MEASURED_BYTES_MIN = 16 * 1024 * 1024

/** The seal rate after one more seal: a moving mean. Bytes a second. */
export function sealRate(before: number | null, { bytes, ms }: SealDone): number | null {
  if (bytes < MEASURED_BYTES_MIN) return before
  const rate = (bytes * 1000) / Math.max(1, ms)
  return before === null ? rate : before * 0.7 + rate * 0.3
}

/**
 * How long a sender has to wait until what waits to be sealed is what it may be, ms; 0: it need not. What may wait is 4 GB, or
 * what takes a minute to seal.
 */
export function backlogWaitMs(backlogBytes: number, rate: number | null): number {
  const bytesPerSecond = Math.max(1, rate ?? RATE_FIRST)
  const allowed = Math.min(LIMITS.backlogBytesMax, Math.max(2 * LIMITS.sealBytes, (bytesPerSecond * LIMITS.backlogMsMax) / 1000))
  return backlogBytes <= allowed ? 0 : Math.max(1000, Math.ceil(((backlogBytes - allowed) * 1000) / bytesPerSecond))
}

/** How full a disk is: room to warn of, to evict early for, none for rows. */
export const DISK_LEVELS = ['ok', 'warn', 'evict', 'full'] as const
export type DiskLevel = (typeof DISK_LEVELS)[number]

const GIB = 1024 ** 3
/** Shares of the disk; of a large one, so much free is enough whatever its share. */
const LEVELS: [level: DiskLevel, used: number, freeBytes: number][] = [
  ['full', 0.95, 2 * GIB],
  ['evict', 0.9, 8 * GIB],
  ['warn', 0.8, 16 * GIB],
]

export function diskLevel(totalBytes: number, freeBytes: number): DiskLevel {
  const used = 1 - freeBytes / Math.max(1, totalBytes)
  return LEVELS.find(([, share, free]) => used >= share && freeBytes < free)?.[0] ?? 'ok'
}

/** Of the disk and of the memory for waiting batches, this share is muster's own rows' alone: they say why others are refused. */
export const OWN_SHARE = 0.02

/** Whether muster's own rows are refused, too: not before the share that is theirs is used up. */
export function isFullForOwn(totalBytes: number, freeBytes: number): boolean {
  const [, share, enough] = LEVELS[0] ?? ['full', 1, 0]
  const left = 1 - share
  return 1 - freeBytes / Math.max(1, totalBytes) >= share + OWN_SHARE && freeBytes < (enough * (left - OWN_SHARE)) / left
}

/** How much more has to be free until nothing need be evicted, and a little beyond, so that it is not begun again at once; 0: nothing. */
export function bytesToEvict(totalBytes: number, freeBytes: number): number {
  const level = diskLevel(totalBytes, freeBytes)
  const [, share, enough] = LEVELS.find(([name]) => name === 'evict') ?? ['evict', 1, 0]
  if (level !== 'evict' && level !== 'full') return 0
  return Math.ceil(Math.min((1 - share) * totalBytes, enough) * 1.05 - freeBytes)
}
