import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { eventually } from '../../../support/eventually.ts'
import { BIN } from '../../../support/fleet.ts'
import { freePort } from '../../../support/free-port.ts'
import { newDelosServers, putKey, type DelosServerProcess, type DelosServers } from '../../../support/delos-servers.ts'
import { traceMissing, troubleSyncs } from '../proof/sync-trouble.ts'
import { ask } from '../virtual-log/load.ts'

/** A lone server, and one that learns from it, whose disk and life are troubled. */
let cluster: DelosServers
let lone: DelosServerProcess
let learner: ChildProcess
let root: string
let id: string

beforeAll(async () => {
  // Less than the trouble, more than a disk that others use, too.
  process.env['MUSTER_DELOS_PROMOTE_SYNC_MS'] = '100'
  cluster = await newDelosServers(1, ['--profile', 'wan', '--region', 'us'])
  const [first] = cluster.servers as [DelosServerProcess]
  lone = first
  lone.start()
  await cluster.healthy()
  root = mkdtempSync(join(tmpdir(), 'muster-slow-'))
  const peer = `http://127.0.0.1:${await freePort()}`
  const added = await ask(lone.url, 'member/add', { peerUrls: [peer], isLearner: true })
  expect(added.body.error, JSON.stringify(added.body)).toBeUndefined()
  id = added.body.id
  const flags = ['--listen-client-urls', `http://127.0.0.1:${await freePort()}`, '--listen-peer-urls', peer, '--profile', 'wan']
  const args = ['delos', 'serve', '--name', 'b', '--data-dir', join(root, 'b'), ...flags, '--region', 'eu']
  learner = spawn(
    process.execPath,
    [BIN, ...args, '--initial-cluster', `${cluster.cluster},b=${peer}`, '--initial-cluster-state', 'existing'],
    {
      stdio: 'ignore',
    },
  )
}, 90_000)
afterAll(async () => {
  learner.kill('SIGCONT')
  learner.kill('SIGKILL')
  if (learner.exitCode === null && learner.signalCode === null) await once(learner, 'exit')
  await cluster.remove()
  rmSync(root, { recursive: true, force: true })
})

const promote = async (): Promise<string> =>
  (await ask(lone.url, 'member/promote', { ids: [id], allowEven: true })).body.error?.message ?? 'done'

describe.skipIf(traceMissing !== null)(`a learner that is to vote (${traceMissing ?? 'strace'})`, () => {
  test('is refused while its disk is slow, and while it is away, with the reason', { timeout: 180_000 }, async () => {
    const log = join(root, 'b', 'log')
    await eventually('it has a log', 60_000, async () => {
      await putKey(lone.url, 'k', 'v', 3000)
      return existsSync(log) && readdirSync(log, { recursive: true, encoding: 'utf8' }).some((name) => name.endsWith('.seg'))
    })
    const stop = await troubleSyncs({ pid: () => learner.pid as number, dir: join(root, 'b') }, 'delay_enter=120000')
    // Until some of its writes have been slow it is fit, and would be taken.
    for (let i = 0; i < 30; i += 1) {
      await putKey(lone.url, 'k', String(i), 3000)
      await new Promise((resolve) => setTimeout(resolve, 150))
    }
    const said = await promote()
    expect(said).toMatch(/the disk of server 2 \(b\) syncs in \d+(\.\d+)? ms \(p99\); 100 are allowed/)
    expect(said).toContain('which is in sync with leader')
    await stop()
    learner.kill('SIGSTOP')
    expect(await promote()).toContain('server 2 (b) does not answer')
    learner.kill('SIGCONT')
  })
})
