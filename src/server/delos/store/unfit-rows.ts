import { closeSync, existsSync, fsyncSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs'
import type { Logger } from '../../../platform/logger.ts'

const markOf = (rowsFile: string): string => `${rowsFile}.unfit`

/** Notes, so that no crash forgets it, that rows on the disk are not to be used any more. */
export function markRowsUnfit(rowsFile: string, reason: string): void {
  const fd = openSync(markOf(rowsFile), 'w', 0o600)
  try {
    writeSync(fd, `${reason}\n`)
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
}

/** Before the rows are read: those that were found wrong go, and are made anew from the log. */
export function removeUnfitRows(rowsFile: string, log: Logger): void {
  const mark = markOf(rowsFile)
  if (!existsSync(mark)) return
  log.warn('kv.db was found wrong and is made anew', { file: rowsFile, reason: readFileSync(mark, 'utf8').trim() })
  // The mark last: a crash in between finds it again.
  for (const name of [rowsFile, `${rowsFile}-wal`, `${rowsFile}-shm`, mark]) rmSync(name, { force: true })
}
