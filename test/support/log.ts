import { expect } from 'vitest'
import type { System } from '../../src/core/contracts/controller.ts'
import { createLogger } from '../../src/platform/logger.ts'
import { openFileLoglet } from '../../src/server/delos/file-loglet.ts'
import { openControlLog, type ControlLog } from '../../src/server/state/control-log.ts'

export interface TestLog {
  /** folder of the segments */
  folder: string
  dbFile: string
  systems: readonly System[]
  clock?: () => number
  segmentBytes?: number
}

/** A log and its state as the server opens them; an error it cannot go on after fails the test. */
export async function openTestLog({ folder, dbFile, systems, clock = Date.now, segmentBytes }: TestLog): Promise<ControlLog> {
  return openControlLog({
    loglet: await openFileLoglet(folder, segmentBytes === undefined ? {} : { segmentBytes }),
    dbFile,
    systems,
    clock,
    log: createLogger(null),
    onFatal: (error) => expect.unreachable(error.message),
  })
}
