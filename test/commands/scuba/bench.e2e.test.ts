import { execFile } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { BIN } from '../../support/fleet.ts'

test(
  'the bench measures a store of its own, leaves nothing behind and refuses cores that are not there',
  { timeout: 120_000 },
  async () => {
    const dir = mkdtempSync(join(tmpdir(), 'scuba-bench-'))
    const env = { ...process.env, MUSTER_STATE_DIR: join(dir, 'no-state'), NO_COLOR: '1' }
    const bench = (...args: string[]): Promise<{ error: unknown; stdout: string }> =>
      new Promise((resolve) => {
        execFile(process.execPath, [BIN, 'scuba', 'bench', '--dir', dir, '--json', ...args], { env }, (error, stdout) =>
          resolve({ error, stdout }),
        )
      })
    try {
      const { stdout } = await bench('--rows', '10000', '--cores', '1')
      const { data } = JSON.parse(stdout) as { data: { rows: number; cores: number; figures: { what: string; value: number }[] } }
      expect(data).toMatchObject({ rows: 10_000, cores: 1 })
      expect(data.figures.length).toBeGreaterThan(15)
      for (const { value } of data.figures) expect(value).toBeGreaterThan(0)
      expect(JSON.parse((await bench('--cores', '4096')).stdout)).toMatchObject({ ok: false, error: { code: 'USAGE' } })
      expect(readdirSync(dir)).toEqual([])
    } finally {
      rmSync(dir, { recursive: true, force: true })
    }
  },
)
