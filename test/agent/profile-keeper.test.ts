import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { isWritable, readSetting } from '../../src/agent/kernel-settings.ts'
import { ProfileKeeper } from '../../src/agent/profile-keeper.ts'
import { whyNoMachines } from '../support/netns.ts'

/** A folder that stands for `/`: the machine's own settings are never touched. */
let root: string
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'mu-kernel-'))
  put('proc/sys/vm/swappiness', '60\n')
  put('proc/sys/net/ipv4/tcp_rmem', '4096\t131072\t6291456\n')
  put('proc/sys/net/ipv4/conf/eth0.100/rp_filter', '0\n')
  put('proc/sys/kernel/other', 'untouched\n')
  put('sys/kernel/mm/transparent_hugepage/enabled', 'always [madvise] never\n')
  put('sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages', '0\n')
})
afterEach(() => rmSync(root, { recursive: true, force: true }))

function put(path: string, text: string): void {
  mkdirSync(dirname(join(root, path)), { recursive: true })
  writeFileSync(join(root, path), text)
}
const keeper = (mayWrite = () => true) => new ProfileKeeper(join(root, 'profile.json'), root, mayWrite)
const asked = (settings: Record<string, string>, id = 1) => ({ switch: id, profile: 'fast', version: 1, settings })

test('settings are found by their names, and read with one space between words', () => {
  expect(readSetting(root, 'net.ipv4.tcp_rmem')).toBe('4096 131072 6291456')
  expect(readSetting(root, 'net/ipv4/conf/eth0.100/rp_filter')).toBe('0')
  expect(readSetting(root, 'transparent_hugepages')).toBe('madvise')
  expect(readSetting(root, 'hugepages.2048kB')).toBe('0')
  expect(readSetting(root, 'vm.nothing')).toBe('not there')
  expect(() => readSetting(root, 'vm/../../../etc/passwd')).toThrow(/no name of a setting/)
})

test('what differs is written and read back, and nothing else is touched', () => {
  const it = keeper()
  expect(it.put(asked({ 'vm.swappiness': '1', 'net.ipv4.tcp_rmem': '4096 131072 6291456' }))).toEqual({
    outcome: 'set',
    differs: {},
    why: '',
  })
  expect(readSetting(root, 'vm.swappiness')).toBe('1')
  expect(readFileSync(join(root, 'proc/sys/net/ipv4/tcp_rmem'), 'utf8')).toBe('4096\t131072\t6291456\n')
  expect(readSetting(root, 'kernel.other')).toBe('untouched')
  expect(it.put(asked({ 'vm.swappiness': '1' })).outcome).toBe('set')
})

test('one that does not read as written brings all old values back', () => {
  rmSync(join(root, 'proc/sys/kernel/other'))
  symlinkSync('/dev/null', join(root, 'proc/sys/kernel/other'))
  const answer = keeper().put(asked({ 'vm.swappiness': '1', 'hugepages.2048kB': '64', 'kernel.other': '5' }))
  expect(answer).toEqual({ outcome: 'failed', differs: {}, why: 'kernel.other reads  after 5 was written; the old values are back' })
  expect(readSetting(root, 'vm.swappiness')).toBe('60')
  expect(readSetting(root, 'hugepages.2048kB')).toBe('0')
})

test('the governor is that of every CPU, and goes back to what each of them had', () => {
  const file = (cpu: number): string => `sys/devices/system/cpu/cpu${cpu}/cpufreq/scaling_governor`
  put(file(0), 'powersave\n')
  put(file(10), 'powersave\n')
  put(file(2), 'schedutil\n')
  expect(readSetting(root, 'governor')).toBe('powersave schedutil powersave')
  expect(keeper().put(asked({ governor: 'performance' })).outcome).toBe('set')
  expect(readSetting(root, 'governor')).toBe('performance')
  put(file(2), 'schedutil\n')
  rmSync(join(root, 'proc/sys/kernel/other'))
  symlinkSync('/dev/null', join(root, 'proc/sys/kernel/other'))
  expect(keeper().put(asked({ governor: 'powersave', 'kernel.other': '5' }, 2)).why).toContain('the old values are back')
  expect(readSetting(root, 'governor')).toBe('performance schedutil performance')
})

test('limits are those of the agent and of what it starts; the next agent has none of them before it sets them anew', () => {
  const run = (script: string): unknown => {
    const whole = `
      const { ProfileKeeper } = await import(${JSON.stringify(join(import.meta.dirname, '../../src/agent/profile-keeper.ts'))})
      const { spawnSync } = await import('node:child_process')
      const it = new ProfileKeeper(${JSON.stringify(join(root, 'limits.json'))}, '/', () => true)
      const put = (settings) => it.put({ switch: 1, profile: 'limits', version: 1, settings })
      const files = () => spawnSync('sh', ['-c', 'ulimit -n'], { encoding: 'utf8' }).stdout.trim()
      const found = () => (it.look(), it.found.differs)
      ${script}`
    const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', whole], { encoding: 'utf8' })
    expect(stderr).toBe('')
    return JSON.parse(stdout)
  }
  expect(
    run(`console.log(JSON.stringify([put({ 'rlimit.nofile': '300', 'rlimit.msgqueue': '1024:4096' }).outcome, files(), found()]))`),
  ).toEqual(['set', '300', {}])
  const [before, failed, after, files] = run('console.log(JSON.stringify([found(), it.resume(), found(), files()]))') as [
    Record<string, string>,
    string,
    object,
    string,
  ]
  expect(Object.keys(before).sort()).toEqual(['rlimit.msgqueue', 'rlimit.nofile'])
  expect([failed, after, files]).toEqual(['', {}, '300'])
  // More than the kernel gives to anybody.
  expect(run(`console.log(JSON.stringify(put({ 'rlimit.nofile': '9000000000' })))`)).toMatchObject({
    outcome: 'failed',
    why: expect.stringMatching(/^rlimit.nofile takes no 9000000000 \(failed to set.*the old values are back$/),
  })
  expect(run(`console.log(JSON.stringify(put({ 'rlimit.beauty': '1' })))`)).toMatchObject({
    why: expect.stringContaining('has no rlimit.beauty'),
  })
})

test('a setting that the kernel does not have fails, and nothing is written', () => {
  const missing = keeper().put(asked({ 'vm.swappiness': '1', 'vm.nothing': '1' }))
  expect(missing).toMatchObject({ outcome: 'failed', why: 'this kernel has no vm.nothing; nothing was written' })
  expect(readSetting(root, 'vm.swappiness')).toBe('60')
})

test.skipIf(whyNoMachines() !== null)(
  'needs network namespaces: in a network namespace of its own the kernel itself is written, and what it refuses comes back',
  () => {
    const script = `
    const { ProfileKeeper } = await import(${JSON.stringify(join(import.meta.dirname, '../../src/agent/profile-keeper.ts'))})
    const it = new ProfileKeeper(${JSON.stringify(join(root, 'netns.json'))}, '/')
    const put = (settings) => it.put({ switch: 1, profile: 'net', version: 1, settings })
    const one = put({ 'net.ipv4.ip_default_ttl': '63', 'net.ipv4.tcp_rmem': '4096 131072 4194304' })
    const two = put({ 'net.ipv4.ip_default_ttl': '62', 'net.ipv4.tcp_rmem': 'lots' })
    it.look()
    console.log(JSON.stringify({ one, two, found: it.found }))`
    const { stdout, stderr } = spawnSync('unshare', ['--net', process.execPath, '--input-type=module', '-e', script], { encoding: 'utf8' })
    expect(JSON.parse(stdout || '{}'), stderr).toEqual({
      one: { outcome: 'set', differs: {}, why: '' },
      two: { outcome: 'failed', differs: {}, why: 'net.ipv4.tcp_rmem takes no lots (EINVAL); the old values are back' },
      found: { switch: 1, differs: {} },
    })
  },
)

test('where nothing may be written it is only compared', () => {
  const it = keeper(() => false)
  expect(it.put(asked({ 'vm.swappiness': '1' }))).toEqual({
    outcome: 'compared',
    differs: { 'vm.swappiness': '60' },
    why: 'compared and not written: the agent may not write here',
  })
  expect(readSetting(root, 'vm.swappiness')).toBe('60')
  // Where it is as it should be nobody has to write.
  expect(it.put(asked({ 'vm.swappiness': '60' })).outcome).toBe('set')
})

test('drift is found when it is looked for, also by the next agent of the node', () => {
  const it = keeper()
  it.look()
  expect(it.found).toBeUndefined()
  it.put(asked({ 'vm.swappiness': '1' }, 7))
  expect(it.found).toEqual({ switch: 7, differs: {} })
  put('proc/sys/vm/swappiness', '30\n')
  const next = keeper()
  next.look()
  expect(next.found).toEqual({ switch: 7, differs: { 'vm.swappiness': '30' } })
})

test('an agent that ended in the middle still goes back to what was before it', () => {
  writeFileSync(
    join(root, 'profile.json'),
    JSON.stringify({ v: 1, current: null, switching: { switch: 1, before: { 'vm.swappiness': '60' } } }),
  )
  put('proc/sys/vm/swappiness', '1\n')
  rmSync(join(root, 'proc/sys/kernel/other'))
  symlinkSync('/dev/null', join(root, 'proc/sys/kernel/other'))
  expect(keeper().put(asked({ 'vm.swappiness': '1', 'kernel.other': '5' })).outcome).toBe('failed')
  expect(readSetting(root, 'vm.swappiness')).toBe('60')
})

test('only root writes, and only where the file system lets it', () => {
  expect(isWritable(root, 'vm.swappiness')).toBe(process.getuid?.() === 0)
})
