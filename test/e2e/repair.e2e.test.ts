import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { createClient } from '../../src/cli/client.ts'
import { eventually } from '../support/eventually.ts'
import { newFleet, type TestFleet } from '../support/fleet.ts'

const fleets: TestFleet[] = []
afterEach(async () => {
  for (const fleet of fleets.splice(0)) await fleet.end()
}, 120_000)

const clientOf = (fleet: TestFleet): ReturnType<typeof createClient> =>
  createClient({ socketPath: join(fleet.root, 'muster.sock'), isTls: false, token: null }, 'user:test')
const putMeta = (fleet: TestFleet, name: string, text: string): Promise<unknown> =>
  clientOf(fleet).call('delos.meta.put', { kind: 'thing', name, body: text })

async function kill(fleet: TestFleet): Promise<void> {
  const pid = fleet.serverPid() as number
  process.kill(pid, 'SIGKILL')
  await eventually('it is gone', 10_000, async () => !existsSync(`/proc/${pid}`))
}

/** Flips a bit of the first place in the control log's files where a text stands, as a disk does that rots. */
function rot(fleet: TestFleet, text: string): void {
  const dir = join(fleet.root, 'log', 'control')
  for (const name of readdirSync(dir, { recursive: true, encoding: 'utf8' })) {
    if (!name.endsWith('.seg') || name.includes('damaged')) continue
    const bytes = readFileSync(join(dir, name))
    const at = bytes.indexOf(text)
    if (at < 0) continue
    bytes[at] = (bytes[at] as number) ^ 1
    return writeFileSync(join(dir, name), bytes)
  }
  throw new Error(`no file holds ${text}`)
}

test(
  'a damaged control log of a server alone: the state holds what it did, or what is lost is said and confirmed',
  { timeout: 240_000 },
  async () => {
    const a = newFleet()
    fleets.push(a)
    await a.data('up', '--name', 'a', '--nodes', '0')
    for (const name of ['one', 'two', 'three']) await putMeta(a, name, `text-of-${name}`)
    expect((await a.muster('delos', 'log', 'repair', '--plan', '--json')).json.error.code).toBe('SERVER_RUNNING')
    await kill(a)
    expect(await a.data('delos', 'log', 'repair', '--plan')).toMatchObject({ how: 'nothing' })

    rot(a, 'text-of-two')
    const refused = await a.muster('up', '--json')
    expect(refused.json.error.code).toBe('DELOS_LOG_CORRUPT')
    const plan = await a.data('delos', 'log', 'repair', '--plan')
    const [{ from, to }] = plan.gaps
    expect(plan).toMatchObject({
      how: 'state',
      log: 'control',
      name: 'a',
      begins: to + 1,
      dropped: { from: 1, to },
      lost: null,
      damaged: null,
    })
    expect(from).toBe(to)
    expect((await a.muster('delos', 'log', 'repair', '--json')).exitCode).not.toBe(0)
    const done = await a.data('delos', 'log', 'repair', '--yes')
    for (const kept of done.damaged) expect(existsSync(kept)).toBe(true)
    await a.data('up')
    const { records } = await a.data('delos', 'meta', 'ls', '--kind', 'thing')
    expect(records.map(({ name }: { name: string }) => name)).toEqual(['one', 'three', 'two'])
    await putMeta(a, 'four', 'text-of-four')
    await putMeta(a, 'five', 'text-of-five')

    // The state may be gone, too: then the kept copy begins it, and what comes after the damage is nowhere.
    await kill(a)
    for (const suffix of ['', '-wal', '-shm']) rmSync(join(a.root, `state.db${suffix}`), { force: true })
    rot(a, 'text-of-four')
    const worse = await a.data('delos', 'log', 'repair', '--plan')
    expect(worse).toMatchObject({ how: 'loss', ends: worse.gaps[0].from - 1, lost: { from: worse.gaps[0].from, to: expect.any(Number) } })
    expect(worse.lost.to).toBeGreaterThan(worse.lost.from)
    const unnamed = await a.muster('delos', 'log', 'repair', '--yes', '--json')
    expect([unnamed.exitCode, unnamed.json.error.code]).toEqual([4, 'CONFIRM_REQUIRED'])
    const said = await a.muster('delos', 'log', 'repair', '--confirm', 'a')
    expect([said.exitCode, said.stdout]).toEqual([0, expect.stringContaining(`LOST: positions ${worse.lost.from} to ${worse.lost.to}`)])
    await a.data('up')
    const left = await a.data('delos', 'meta', 'ls', '--kind', 'thing')
    expect(left.records.map(({ name }: { name: string }) => name)).toEqual(['one', 'three', 'two'])
    await putMeta(a, 'six', 'text-of-six')
    expect((await a.data('delos', 'log', 'repair', '--plan').catch((error: Error) => error.message)) as string).toContain('SERVER_RUNNING')
  },
)
