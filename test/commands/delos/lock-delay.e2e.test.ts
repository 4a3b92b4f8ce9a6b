import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { getPrefix, newDelosServers, type DelosServers } from '../../support/delos-servers.ts'
import { eventually } from '../../support/eventually.ts'
import { openDelosServer, type DelosServer } from '../../server/delos/delos-server.ts'
import { BIN } from '../../support/fleet.ts'

const hasEtcdctl = spawnSync('etcdctl', ['version']).error === undefined
const TIMES = ['--ttl', '2s', '--lock-delay', '5s']

let dir = ''
let cluster: DelosServers
let own: DelosServer
let url = ''
beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'muster-lock-delay-'))
  cluster = await newDelosServers(1)
  cluster.servers[0]?.start()
  url = cluster.servers[0]?.url as string
  own = await openDelosServer()
  await cluster.healthy()
}, 120_000)
afterAll(async () => {
  await own.close()
  await cluster.remove()
  rmSync(dir, { recursive: true, force: true })
})

interface Run {
  child: ChildProcess
  ended: Promise<{ code: number | null; stdout: string; atMs: number }>
}

function run(file: string, args: readonly string[], env: NodeJS.ProcessEnv): Run {
  const child = spawn(file, args, { env: { ...env, NO_COLOR: '1' }, stdio: ['ignore', 'pipe', 'inherit'] })
  let stdout = ''
  child.stdout.on('data', (part: Buffer) => (stdout += part.toString()))
  return { child, ended: new Promise((resolve) => child.once('close', (code) => resolve({ code, stdout, atMs: performance.now() }))) }
}
const lock = (name: string, where: readonly string[], more: readonly string[], command: string): Run =>
  run(process.execPath, [BIN, 'delos', 'lock', 'run', name, ...where, ...more, '--', 'sh', '-c', command], own.env)

const places = () => [['a store', ['--endpoints', url], url] as const, ["the context's own", [], `http://${own.etcd}`] as const]

describe.each([0, 1])('a lock with a delay (%i: of a store, of the context)', (which) => {
  test('whose holder was killed stays taken for the delay after its lease, also for etcdctl', async () => {
    const [name, where, at] = places()[which] as ReturnType<typeof places>[number]
    const mark = join(dir, `held-${which}`)
    const holder = lock('job', where, TIMES, `echo $$ > ${mark}.new; mv ${mark}.new ${mark}; exec sleep 60`)
    await eventually(`held at ${name}`, 20_000, () => existsSync(mark))
    holder.child.kill('SIGKILL')
    // What it ran does not know of it; here nothing is left to write.
    process.kill(Number(readFileSync(mark, 'utf8')), 'SIGKILL')
    await eventually(
      'its lease is over',
      20_000,
      async () => ![...(await getPrefix(at, 'job/')).keys()].some((key) => !key.endsWith('+delay')),
    )
    const overAtMs = performance.now()
    const ours = lock('job', where, ['--wait', '1m'], 'echo ours')
    const theirs = hasEtcdctl
      ? run('etcdctl', ['--endpoints', at, 'lock', 'job', 'echo', 'theirs'], { ...process.env, ETCDCTL_API: '3' })
      : null
    const ended = await Promise.all([ours.ended, ...(theirs === null ? [] : [theirs.ended])])
    expect(ended.map(({ code, stdout }) => [code, stdout])).toEqual([[0, 'ours\n'], ...(theirs === null ? [] : [[0, 'theirs\n']])])
    // It was seen a little after it was over.
    for (const { atMs } of ended) expect(atMs - overAtMs).toBeGreaterThan(4000)
  }, 120_000)

  test('that is given back is free at once', async () => {
    const [, where, at] = places()[which] as ReturnType<typeof places>[number]
    const first = await lock('brief', where, ['--ttl', '30s', '--lock-delay', '1h'], 'echo one').ended
    expect([first.code, first.stdout]).toEqual([0, 'one\n'])
    expect((await getPrefix(at, 'brief/')).size).toBe(0)
    expect((await lock('brief', where, ['--wait', '0s'], 'echo two').ended).stdout).toBe('two\n')
  }, 120_000)
})
