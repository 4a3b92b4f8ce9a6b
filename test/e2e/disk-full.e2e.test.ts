import { execaSync } from 'execa'
import { mkdirSync, mkdtempSync, rmSync, statfsSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { newFleet } from '../support/fleet.ts'

const canMount = process.getuid?.() === 0
const name = 'on a full disk a change is refused with exit 6, reads and tasks go on, and after space is freed changes work again'

test.skipIf(!canMount)(
  canMount ? name : `${name} (needs root: a tmpfs of its own)`,
  async () => {
    const fleet = newFleet()
    const mount = mkdtempSync(join(tmpdir(), 'muster-full-'))
    execaSync('mount', ['-t', 'tmpfs', '-o', 'size=160m', 'tmpfs', mount])
    try {
      const root = join(mount, 's')
      mkdirSync(root)
      fleet.env['MUSTER_STATE_DIR'] = root
      await fleet.data('up', '--nodes', '1')
      const put = (n: number) => fleet.muster('sev', 'declare', `incident ${n}`, '--sev', '4', '--json')
      expect((await put(1)).exitCode).toBe(0)
      fill(mount)
      // What was prepared ahead may still take some changes; the first that does not fit is refused, not lost.
      const body = 'x'.repeat(900_000)
      let refused: { exitCode: number; code: string } | null = null
      for (let n = 0; n < 60 && refused === null; n += 1) {
        const result = await fleet.muster('delos', 'kv', 'put', `big/${n}`, body.slice(0, 120_000), '--json')
        if (result.exitCode !== 0) refused = { exitCode: result.exitCode, code: result.json.error.code }
        fill(mount)
      }
      expect(refused).toEqual({ exitCode: 6, code: 'DISK_FULL' })
      expect((await fleet.muster('sev', 'list', '--json')).exitCode).toBe(0)
      rmSync(join(mount, 'ballast'))
      expect((await fleet.muster('delos', 'kv', 'put', 'after', 'space', '--json')).exitCode).toBe(0)
      // Beside the one that was declared there may be the page about the disk itself.
      const { incidents } = (await fleet.data('sev', 'list', '--all')) as { incidents: { title: string }[] }
      expect(incidents.filter(({ title }) => title.startsWith('incident '))).toHaveLength(1)
    } finally {
      await fleet.end()
      execaSync('umount', ['-l', mount])
      rmSync(mount, { recursive: true, force: true })
    }
  },
  120_000,
)

/** Takes whatever is left. */
function fill(folder: string): void {
  const { bavail, bsize } = statfsSync(folder)
  try {
    writeFileSync(join(folder, 'ballast'), Buffer.alloc(bavail * bsize), { flag: 'a' })
  } catch {
    // Full: that is the point.
  }
}
