import { spawn, type ChildProcess } from 'node:child_process'
import { readFileSync, existsSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openDelosServer, type DelosServer } from '../../server/delos/delos-server.ts'
import { eventually } from '../../support/eventually.ts'
import { BIN } from '../../support/fleet.ts'

let server: DelosServer
beforeAll(async () => {
  server = await openDelosServer()
})
afterAll(() => server.close())

interface Run {
  child: ChildProcess
  ended: Promise<{ code: number | null; stdout: string; stderr: string }>
}

function muster(...args: string[]): Run {
  const child = spawn(process.execPath, [BIN, 'delos', ...args], { env: server.env, stdio: ['ignore', 'pipe', 'pipe'] })
  let [stdout, stderr] = ['', '']
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()))
  return { child, ended: new Promise((resolve) => child.once('close', (code) => resolve({ code, stdout, stderr }))) }
}

const holders = async (): Promise<number> => (await server.client.call<{ locks: unknown[] }>('delos.lock.ls', {})).data.locks.length

/** A command that writes its pid to a file and then stays. */
function stays(name: string): { command: string[]; pid: () => number; started: () => boolean; isAlive: () => boolean } {
  const file = join(server.dir, name)
  const pid = (): number => Number(readFileSync(file, 'utf8'))
  return {
    command: ['sh', '-c', `echo $$ > ${file}.tmp && mv ${file}.tmp ${file}; sleep 60; true`],
    pid,
    started: () => existsSync(file),
    isAlive: () => {
      try {
        process.kill(pid(), 0)
        return true
      } catch {
        return false
      }
    },
  }
}

test('the command runs with key and token, its exit code is ours, and the lock is given back', async () => {
  const { code, stdout } = await muster('lock', 'run', 'job', '--', 'sh', '-c', 'echo "$MUSTER_LOCK_KEY $MUSTER_LOCK_TOKEN"; exit 3').ended
  expect(stdout).toMatch(/^job\/[0-9a-f]+ \d+\n$/)
  expect(code).toBe(3)
  expect(await holders()).toBe(0)
})

test('the lock excludes others until Ctrl-C gives it back; the command ends with it', { timeout: 80_000 }, async () => {
  const command = stays('first')
  const first = muster('lock', 'run', 'job', '--ttl', '2s', '--', ...command.command)
  await eventually('the command started', 20_000, command.started)
  const refused = await muster('lock', 'run', 'job', '--wait', '0s', '--json', '--', 'true').ended
  expect(refused.code).toBe(5)
  const second = muster('lock', 'run', 'job', '--wait', '20s', '--', 'echo', 'mine')
  // Longer than the lease: it is kept alive.
  await new Promise((resolve) => setTimeout(resolve, 2300))
  expect(command.isAlive()).toBe(true)
  first.child.kill('SIGINT')
  expect((await first.ended).code).toBe(130)
  expect(command.isAlive()).toBe(false)
  expect(await second.ended).toMatchObject({ code: 0, stdout: 'mine\n' })
})

test('a command whose lock is taken away is stopped, and the exit code says so', async () => {
  const command = stays('taken')
  const run = muster('lock', 'run', 'job', '--ttl', '2s', '--', ...command.command)
  await eventually('the command started', 20_000, command.started)
  await server.client.call('delos.lock.release', { name: 'job' }, { confirm: 'job' })
  const { code, stderr } = await run.ended
  expect([code, command.isAlive()]).toEqual([5, false])
  expect(stderr).toContain('DELOS_LOCK_LOST')
})

test('kill -9 of the one who keeps the lock ends the command too, and the lock is free after its time', async () => {
  const command = stays('killed')
  const run = muster('lock', 'run', 'job', '--ttl', '1s', '--', ...command.command)
  await eventually('the command started', 20_000, command.started)
  run.child.kill('SIGKILL')
  await eventually('the command ended', 20_000, () => !command.isAlive())
  await eventually('the lock is free', 20_000, async () => (await holders()) === 0)
  expect(command.isAlive()).toBe(false)
})
