import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { eventually } from '../support/eventually.ts'
import { BIN, newFleet } from '../support/fleet.ts'

/** Command lines of living processes that name a folder. */
function processesOf(folder: string): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      try {
        return [readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')]
      } catch {
        return []
      }
    })
    .filter((line) => line.includes(folder))
}

test('Ctrl-C of a starting `up` ends with 130 and leaves no process, and the next one starts', async () => {
  const fleet = newFleet()
  try {
    const up = spawn(process.execPath, [BIN, 'up', '--nodes', '2'], { env: fleet.env, stdio: 'ignore' })
    const ended = once(up, 'exit')
    await eventually('a server that starts', 30_000, async () => processesOf(fleet.root).length > 0)
    up.kill('SIGINT')
    expect(await ended).toEqual([130, null])
    await eventually('no process', 5_000, async () => processesOf(fleet.root).length === 0)
    expect((await fleet.muster('up', '--nodes', '2', '--json')).exitCode).toBe(0)
  } finally {
    await fleet.end()
  }
}, 60_000)
