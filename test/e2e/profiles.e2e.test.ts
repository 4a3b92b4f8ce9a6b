import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { eventually } from '../support/eventually.ts'
import { newFleet, type TestFleet } from '../support/fleet.ts'

/** Host profiles on a real fleet, whose agents take a folder for `/`: the settings of the machine are never touched. */
let fleet: TestFleet
let settings: string

describe.skipIf(process.getuid?.() !== 0)('host profiles (needs root)', () => {
  beforeAll(async () => {
    fleet = newFleet()
    settings = join(fleet.home, 'kernel/proc/sys/vm')
    mkdirSync(settings, { recursive: true })
    writeFileSync(join(settings, 'swappiness'), '60\n')
    symlinkSync('/dev/null', join(settings, 'stubborn'))
    fleet.env['MUSTER_KERNEL_ROOT'] = join(fleet.home, 'kernel')
    await fleet.data('up', '--nodes', '2')
  }, 120_000)

  afterAll(async () => {
    await fleet.end()
  }, 120_000)

  const keep = (text: string) => {
    writeFileSync(join(fleet.home, 'host.yaml'), text)
    return fleet.muster('tw', 'profile', 'set', 'host.yaml')
  }
  const swappiness = (): string => readFileSync(join(settings, 'swappiness'), 'utf8').trim()

  test('a file that is none is refused with its places', async () => {
    const { exitCode, stderr } = await keep('profile: fast\nsysctls:\n  swappiness: 1\n  vm.x: ""\ntier: gold\n')
    expect(exitCode).toBe(2)
    expect(stderr).toContain('host.yaml:3:3 a sysctl is named like')
    expect(stderr).toContain('host.yaml:4:9 sysctls.vm.x: a setting has a value')
    expect(stderr).toContain('host.yaml:5:1 unknown key `tier`')
  })

  test('nodes are written, drift is shown, and what fails leaves its node out of service as it was', async () => {
    expect(
      (await keep('profile: fast\ndrain: true\nsysctls: {vm.swappiness: 1}\nrlimits: {nofile: 3000}\nlabels: {tier: fast}\n')).stdout,
    ).toContain('profile fast is v1 now')
    const applied = await fleet.muster('tw', 'profile', 'apply', 'fast', '--to', 'region:r1', '--yes', '--wait', '--timeout', '30s')
    expect(applied.exitCode, applied.stderr).toBe(0)
    expect(swappiness()).toBe('1')
    const listed = async (): Promise<string> => (await fleet.muster('tw', 'node', 'ls', '--profile')).stdout
    expect((await listed()).match(/● fast v1/g)).toHaveLength(2)
    expect((await fleet.data('tw', 'node', 'show', 'n2')).node.attributes['meta.tier']).toBe('fast')

    // What starts from now on has the limits.
    await fleet.muster('tw', 'exec-run', '--name', 'limited', '--', 'sh', '-c', 'ulimit -n')
    await eventually('its limit', 20_000, async () => (await fleet.muster('tw', 'logs', 'limited')).stdout.includes('3000'))

    // Somebody changes it by hand; an agent that starts looks at once.
    writeFileSync(join(settings, 'swappiness'), '30\n')
    const { pid } = JSON.parse(readFileSync(join(fleet.root, 'agents/n1/agent.json'), 'utf8')) as { pid: number }
    process.kill(pid, 'SIGKILL')
    await eventually('the drift is shown', 20_000, async () => (await listed()).includes('fast v1 drifted: vm.swappiness is 30'))

    expect(await listed()).not.toContain('rlimit')

    await keep('profile: slow\nsysctls: {vm.swappiness: 90, vm.stubborn: 1}\n')
    const failed = await fleet.muster('tw', 'profile', 'apply', 'slow', '--to', 'n2', '--yes', '--wait', '--timeout', '30s')
    expect(failed.exitCode).toBe(1)
    expect(swappiness()).toBe('30')
    const { node } = await fleet.data('tw', 'node', 'show', 'n2')
    expect(node).toMatchObject({ isCordoned: true, profile: { state: 'failed' } })
    expect(node.profile.why).toContain('vm.stubborn reads  after 1 was written; the old values are back')
  })
})
