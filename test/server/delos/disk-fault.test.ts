import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { MusterError } from '../../../src/core/kernel/errors.ts'
import { openFileLoglet, type FileLoglet } from '../../../src/server/delos/file-loglet.ts'
import { tinyDiskMissing, withTinyDisk } from './tiny-disk.ts'

const OPTIONS = { segmentBytes: 64 * 1024, markAfterMs: 5 }
const KIB = new Uint8Array(1024)

async function codeOfAppend(log: FileLoglet): Promise<string> {
  try {
    await log.append([KIB])
    return ''
  } catch (error) {
    return error instanceof MusterError ? error.code : String(error)
  }
}

test.skipIf(tinyDiskMissing !== null)(
  `a full disk refuses the append, loses nothing, and the log goes on once there is room (${tinyDiskMissing ?? 'tmpfs'})`,
  async () => {
    await withTinyDisk(400 * 1024, async (dir) => {
      const log = await openFileLoglet(join(dir, 'log'), OPTIONS)
      const ballast = join(dir, 'ballast')
      writeFileSync(ballast, new Uint8Array(200 * 1024))
      let acknowledged = 0
      let code = ''
      for (; code === '' && acknowledged < 1000; acknowledged += 1) code = await codeOfAppend(log)
      acknowledged -= 1
      expect(code).toBe('DISK_FULL')
      expect(log.failure).toBeNull()
      expect(log.checkTail()).toBe(acknowledged + 1)
      expect(await codeOfAppend(log)).toBe('DISK_FULL')
      rmSync(ballast)
      expect(await log.append([KIB])).toBe(acknowledged + 1)
      await log.close()
      const again = await openFileLoglet(join(dir, 'log'), OPTIONS)
      expect(again.checkTail()).toBe(acknowledged + 2)
      expect(again.readNext(1, 10_000)).toHaveLength(acknowledged + 1)
      await again.close()
    })
  },
)

const straceMissing = spawnSync('strace', ['-V']).status === 0 ? null : 'needs strace'

test.skipIf(straceMissing !== null)(
  `after a failed write nothing more is acknowledged, and it is not tried again (${straceMissing ?? 'strace'})`,
  () => {
    const dir = mkdtempSync(join(tmpdir(), 'muster-eio-'))
    try {
      // strace counts by thread, so there is one. Opening writes nothing of an empty log; making the first file is write 1, the first append 2, the second 3, which fails.
      const inject = ['-f', '-qq', '-e', 'trace=pwrite64', '-e', 'inject=pwrite64:error=EIO:when=3', '-o', '/dev/null']
      const fixture = join(import.meta.dirname, '../../fixtures/log-after-eio.ts')
      const said = JSON.parse(
        execFileSync('strace', [...inject, process.execPath, fixture, join(dir, 'log')], {
          encoding: 'utf8',
          env: { ...process.env, UV_THREADPOOL_SIZE: '1' },
        }),
      ) as unknown
      expect(said).toEqual({ first: 1, second: 'DELOS_DISK_FAILED', third: 'DELOS_DISK_FAILED', failure: 'DELOS_DISK_FAILED', tail: 2 })
    } finally {
      rmSync(dir, { recursive: true, force: true })
    }
  },
)
