import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startCommand } from '../../src/cli/child-command.ts'
import { eventually } from '../support/eventually.ts'

let dir: string
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'muster-child-'))
})
afterAll(() => rmSync(dir, { recursive: true, force: true }))

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

test('kill -9 in the moment after its process was made leaves no command behind: it has not begun', { timeout: 60_000 }, async () => {
  const [pidFile, began] = [join(dir, 'pid'), join(dir, 'began')]
  const fixture = join(import.meta.dirname, '..', 'fixtures', 'killed-at-spawn.ts')
  const child = spawn(process.execPath, [fixture, pidFile, 'sh', '-c', `touch ${began}; sleep 60`], { stdio: 'ignore' })
  const [, signal] = await once(child, 'exit')
  expect(signal).toBe('SIGKILL')
  const pid = Number(readFileSync(pidFile, 'utf8'))
  expect(pid).toBeGreaterThan(1)
  await eventually('its process ended', 20_000, () => !isAlive(pid))
  expect(existsSync(began)).toBe(false)
})

test('a command has its arguments, its directory and every variable as they were given; one that is not there is refused', async () => {
  const file = join(dir, 'seen')
  const script = `require('fs').writeFileSync(process.argv[1], JSON.stringify([process.argv.slice(2), process.cwd(), process.env['odd.name'], process.env.PLAIN]))`
  const env = { ...process.env, 'odd.name': 'a "b"\nc', PLAIN: '$x' }
  const args = ['two words', '', '$HOME', '--', "it's"]
  expect(await startCommand([process.execPath, '-e', script, '--', file, ...args], { env, cwd: dir, graceMs: 100 }).ended).toBe(0)
  expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual([args, dir, 'a "b"\nc', '$x'])
  await expect(startCommand(['muster-no-such-program'], { env, graceMs: 100 }).ended).rejects.toMatchObject({ code: 'NOT_FOUND' })
  await expect(startCommand([dir + '/seen'], { env, graceMs: 100 }).ended).rejects.toMatchObject({ code: 'USAGE' })
  expect(await startCommand(['sh', '-c', 'exit 7'], { env, graceMs: 100 }).ended).toBe(7)
})
