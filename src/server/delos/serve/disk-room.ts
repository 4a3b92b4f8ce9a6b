import { statfs } from 'node:fs/promises'
import type { Logger } from '../../../platform/logger.ts'

/** Left for what makes room and for the log's next two segment files, so that deleting and compacting go on when growing is over. */
const RESERVE_BYTES = 128 * 1024 * 1024
const LOOK_MS = 500

export interface DiskRoom {
  /** less is free than the reserve */
  readonly isShort: boolean
  stop: () => void
}

/** Looks now and again at what is free on the disk of `dir`, and calls back each time. */
export function watchDiskRoom(dir: string, log: Logger, onLook: () => void): DiskRoom {
  let isShort = false
  const look = async (): Promise<void> => {
    const { bavail, bsize, blocks } = await statfs(dir)
    const freeBytes = bavail * bsize
    // Some file systems do not say.
    const isNow = blocks > 0 && freeBytes < RESERVE_BYTES
    if (isNow !== isShort) tell(isNow, freeBytes)
    onLook()
  }
  const tell = (isNow: boolean, freeBytes: number): void => {
    isShort = isNow
    if (isNow)
      log.error('the disk is nearly full: what is left is for deleting and compacting', { dir, freeBytes, reserveBytes: RESERVE_BYTES })
    else log.info('there is room on the disk again', { dir, freeBytes })
  }
  // A disk that does not even say how full it is shows in what is written to it.
  const timer = setInterval(() => void look().catch(() => undefined), LOOK_MS)
  timer.unref()
  return {
    get isShort() {
      return isShort
    },
    stop: () => clearInterval(timer),
  }
}
