import { spawn } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { BIN, newFleet } from '../support/fleet.ts'
import { eventually } from '../support/eventually.ts'

/** Living processes whose command line holds the text. */
function processesNaming(text: string): string[] {
  return readdirSync('/proc').filter((name) => {
    try {
      return /^\d+$/.test(name) && Number(name) !== process.pid && readFileSync(`/proc/${name}/cmdline`, 'utf8').includes(text)
    } catch {
      return false
    }
  })
}

test('the demo does every step it claims, and leaves nothing behind', async () => {
  const home = newFleet()
  try {
    const result = await home.muster('demo', '--json')
    const report = result.json?.data
    expect(
      report?.steps.filter((step: { state: string }) => step.state !== 'ok'),
      result.stdout + result.stderr,
    ).toEqual([])
    expect(result.exitCode).toBe(0)
    const facts = Object.fromEntries(report.steps.map((step: { name: string; facts: object }) => [step.name, step.facts]))
    expect(facts['deploy-good'].topSharePpm).toBe(1_000_000)
    expect(facts['deploy-bad'].topSharePpm).toBeLessThanOrEqual(50_000)
    expect(facts['deploy-bad'].rolledBackAfterMs).toBeLessThanOrEqual(15_000)
    expect(facts['kill'].failed).toBe(0)
    expect(existsSync(report.stateDir)).toBe(false)
    expect(processesNaming(report.stateDir)).toEqual([])
  } finally {
    await home.end()
  }
}, 300_000)

test('what a killed demo leaves is ended and removed by the next `muster up`', async () => {
  const home = newFleet()
  try {
    const before = new Set(readdirSync(tmpdir()))
    const demo = spawn(process.execPath, [BIN, 'demo', '--json'], { env: home.env, stdio: 'ignore' })
    const folder = await eventually('a demo fleet', 60_000, () =>
      readdirSync(tmpdir()).find((name) => name.startsWith('muster-demo-') && !before.has(name)),
    )
    const path = join(tmpdir(), folder)
    await eventually('its server', 60_000, () => existsSync(join(path, 's', 'server.json')))
    demo.kill('SIGKILL')
    await eventually('the end of the demo', 20_000, () => demo.signalCode === 'SIGKILL')
    expect(processesNaming(path).length).toBeGreaterThan(0)
    expect((await home.muster('up', '--json')).exitCode).toBe(0)
    expect(existsSync(path)).toBe(false)
    expect(processesNaming(path)).toEqual([])
  } finally {
    await home.end()
  }
}, 180_000)
