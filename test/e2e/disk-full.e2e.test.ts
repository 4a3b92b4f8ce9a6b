import { execaSync } from 'execa'
import { mkdirSync, mkdtempSync, rmSync, statfsSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { newFleet } from '../support/fleet.ts'

interface Task {
  task: string
  pid: number
  state: string
  restarts: number
}

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
      const main = { command: ['/bin/sh', '-c', 'while true; do echo here; sleep 0.2; done'], resources: { cpu: '10m', memory: '8MiB' } }
      const job = (count: number): string => {
        writeFileSync(join(fleet.home, 'job.yaml'), JSON.stringify({ job: 'web', groups: { api: { count, main } } }))
        return 'job.yaml'
      }
      await fleet.data('tw', 'job', 'run', job(1), '--wait', '--timeout', '30s')
      const tasks = async (): Promise<unknown> =>
        (await fleet.data('tw', 'ps')).tasks.map(({ task, pid, state, restarts }: Task) => ({ task, pid, state, restarts }))
      const before = await tasks()
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
      // Wherever the next entry begins, the one that does not fit is refused; a job is no exception.
      const run = await fleet.muster('tw', 'job', 'run', job(2), '--set', `groups.api.main.env.X=${'x'.repeat(90_000)}`, '--json')
      expect([run.exitCode, run.json.error.code]).toEqual([6, 'DISK_FULL'])
      expect((await fleet.muster('sev', 'list', '--json')).exitCode).toBe(0)
      expect(await tasks()).toEqual(before)
      rmSync(join(mount, 'ballast'))
      expect((await fleet.muster('delos', 'kv', 'put', 'after', 'space', '--json')).exitCode).toBe(0)
      await fleet.data('tw', 'job', 'run', job(2), '--wait', '--timeout', '30s')
      expect(await tasks()).toEqual(expect.arrayContaining(before as unknown[]))
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
