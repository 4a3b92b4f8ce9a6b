import { execa } from 'execa'
import { rmSync, statfsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { MusterError } from '../../../src/core/kernel/errors.ts'
import { openDelosServer } from './delos-server.ts'
import { tinyDiskMissing, withTinyDisk } from './tiny-disk.ts'
import { BIN } from '../../support/fleet.ts'

test.skipIf(tinyDiskMissing !== null)(
  `on a full disk writes are refused with exit 6, reads go on, and nothing acknowledged is lost (${tinyDiskMissing ?? 'tmpfs'})`,
  async () => {
    await withTinyDisk(6 * 1024 * 1024, async (disk) => {
      const server = await openDelosServer(join(disk, 'state'))
      const put = (key: string): Promise<string> =>
        server.client.call('delos.kv.put', { key, value: 'x'.repeat(3000) }).then(
          () => '',
          (error: unknown) => (error instanceof MusterError ? error.code : String(error)),
        )
      const count = async (): Promise<number> =>
        (await server.client.call<{ count: number }>('delos.kv.get', { key: '', isPrefix: true, isCountOnly: true })).data.count
      expect(await put('first')).toBe('')
      const { bavail, bsize } = statfsSync(disk)
      const ballast = join(disk, 'ballast')
      writeFileSync(ballast, new Uint8Array(bavail * bsize - 900 * 1024))

      let acknowledged = 1
      let code = ''
      while (code === '' && acknowledged < 3000) {
        code = await put(`k${acknowledged}`)
        if (code === '') acknowledged += 1
      }
      expect(code).toBe('DISK_FULL')
      expect(await count()).toBe(acknowledged)
      const run = await execa(process.execPath, [BIN, 'delos', 'kv', 'put', 'more', 'x'.repeat(3000), '--json'], {
        env: server.env,
        extendEnv: false,
        reject: false,
      })
      expect([run.exitCode, JSON.parse(run.stdout).error.code]).toEqual([6, 'DISK_FULL'])

      rmSync(ballast)
      expect(await put('after')).toBe('')
      await server.stop()
      await server.start()
      expect(await count()).toBe(acknowledged + 1)
      await server.close()
    })
  },
)
