import { genesis } from '../../src/core/delos/virtual-log/genesis.ts'
import type { MusterError } from '../../src/core/kernel/errors.ts'
import { openFileLoglet } from '../../src/server/delos/file-loglet.ts'
import { fileStretch } from '../../src/server/delos/virtual-log/file-stretch.ts'
import type { BatchLog } from '../../src/server/state/control-log.ts'

export interface FileLogOptions {
  segmentBytes?: number
  /** position from which on batches are given */
  from?: number
  onFatal?: (error: MusterError) => void
}

/** A log that is one file of one server, without a register: its first and only stretch. */
export async function openFileLog(
  dir: string,
  { segmentBytes, from = 1, onFatal = () => undefined }: FileLogOptions = {},
): Promise<BatchLog> {
  const file = await openFileLoglet(dir, segmentBytes === undefined ? {} : { segmentBytes })
  const { follow, ...stretch } = fileStretch({ file, loglet: 1, first: 1, lastRound: 0, self: 1n, onFatal })
  return {
    ...stretch,
    onCommitted: (listener) => void follow(from, listener),
    localTail: () => file.checkTail(),
    localHead: () => file.head(),
    value: () => genesis('00000000000000aa', [{ id: '0000000000000001', name: 'a', addresses: [] }]),
    onValue: () => () => undefined,
  }
}
