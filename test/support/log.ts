import { expect } from 'vitest'
import type { System } from '../../src/core/contracts/controller.ts'
import { createLogger } from '../../src/platform/logger.ts'
import { openControlLog, type ControlLog } from '../../src/server/state/control-log.ts'
import { openFileLog } from './file-log.ts'

export interface TestLog {
  /** folder of the segments */
  folder: string
  dbFile: string
  systems: readonly System[]
  /** of all that is asked for the time: one that stands still stands still altogether */
  clock?: () => number
  segmentBytes?: number
}

/** A log of one file and its state, as the server opens them; an error it cannot go on after fails the test. */
export async function openTestLog({ folder, dbFile, systems, clock = Date.now, segmentBytes }: TestLog): Promise<ControlLog> {
  const onFatal = (error: Error): never => expect.unreachable(error.message)
  return openControlLog({
    openLog: (from) => openFileLog(folder, { from, onFatal, ...(segmentBytes === undefined ? {} : { segmentBytes }) }),
    ...{ dbFile, systems, clock, monotonic: clock, log: createLogger(null), onFatal },
  })
}
