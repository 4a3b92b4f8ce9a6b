import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'

const root = join(import.meta.dirname, '../..')
const bin = join(root, 'bin/muster.js')
const packageJson = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string }
let home: string
let env: NodeJS.ProcessEnv

beforeAll(() => {
  home = mkdtempSync(join(tmpdir(), 'muster-bin-'))
  env = { HOME: home, PATH: process.env['PATH'] ?? '', NO_COLOR: '1', MUSTER_STATE_DIR: join(home, 'state') }
})
afterAll(() => rmSync(home, { recursive: true, force: true }))

function muster(args: string[], options: { env?: NodeJS.ProcessEnv; node?: string; bin?: string } = {}) {
  const { status, stdout, stderr } = spawnSync(options.node ?? process.execPath, [options.bin ?? bin, ...args], {
    env: { ...env, ...options.env },
    cwd: home,
    encoding: 'utf8',
    timeout: 60_000,
  })
  return { status, stdout, stderr }
}

const ended = (child: ChildProcess): Promise<{ code: number | null; signal: string | null }> =>
  new Promise((done) => child.once('close', (code, signal) => done({ code, signal })))

test('--version answers at once', () => {
  expect(muster(['--version'])).toEqual({ status: 0, stdout: `muster ${packageJson.version}\n`, stderr: '' })
})

test('an error code is explained offline, for people and machines', () => {
  expect(muster(['explain', 'plan_stale']).stdout).toContain('PLAN_STALE')
  expect(JSON.parse(muster(['explain', 'PLAN_STALE', '--json']).stdout)).toMatchObject({
    schema: 'muster.explain/1',
    ok: true,
    data: { exit: 5 },
  })
  expect(muster(['explain', 'NO_SUCH_CODE']).status).toBe(3)
})

test('a mistyped command is guessed, exits 2 and runs nothing', () => {
  const { status, stdout, stderr } = muster(['expalin', 'PLAN_STALE'])
  expect({ status, stdout }).toEqual({ status: 2, stdout: '' })
  expect(stderr).toContain('Did you mean `muster explain`? Nothing was run.')
})

test('an unknown flag comes as an envelope of a few lines, not as the configuration of the parser', () => {
  const { status, stdout } = muster(['tw', 'ps', '--nonsense', '--json'])
  expect(status).toBe(2)
  expect(JSON.parse(stdout)).toEqual({
    schema: 'muster.tw.ps/1',
    ok: false,
    error: { code: 'USAGE', message: 'unknown flag --nonsense', hint: expect.any(String), docs: 'docs/errors/USAGE.md', exit: 2 },
  })
})

test('piped input never becomes an argument', () => {
  const { status, stderr } = spawnSync(process.execPath, [bin, 'explain'], { env, cwd: home, input: 'PLAN_STALE\n', encoding: 'utf8' })
  expect(status).toBe(2)
  expect(stderr).toContain('CODE is missing')
})

test('without a server a command says so with exit 6 and what to type', () => {
  const { status, stderr } = muster(['status'])
  expect(status).toBe(6)
  expect(stderr).toContain('muster up')
})

test('help, topics and every way to ask for them', () => {
  expect(muster([]).stdout).toContain('muster up --nodes 6 --regions 2')
  expect(muster(['tw', 'job']).stdout).toContain('tw job run')
  expect(muster(['help', 'tw', 'ps']).stdout).toBe(muster(['tw', 'ps', '-h']).stdout)
  expect(muster(['help', 'exit-codes']).stdout).toContain('70')
  expect(muster(['help', 'nonsense']).status).toBe(2)
})

test('completion answers without a server', () => {
  expect(muster(['__complete', 'expl']).stdout).toBe('explain\tSay what an error code means and what to do about it.\n')
  expect(muster(['__complete', 'tw', 'ps', '-o', 'j']).stdout).toBe('json\t\njsonl\t\n')
  expect(muster(['__complete', 'tw', 'ps', '']).stderr).toBe('')
})

test.skipIf(spawnSync('bash', ['--version']).status !== 0)('the bash script completes (needs bash)', () => {
  const bindir = join(home, 'completion-bin')
  mkdirSync(bindir)
  symlinkSync(bin, join(bindir, 'muster'))
  const script = `source <(muster completion bash); COMP_WORDS=(muster config sh); COMP_CWORD=2; _muster; echo "\${COMPREPLY[@]}"`
  const { stdout } = spawnSync('bash', ['-c', script], {
    env: { ...env, PATH: `${bindir}:${dirname(process.execPath)}:${env['PATH']}` },
    encoding: 'utf8',
  })
  expect(stdout).toBe('show\n')
})

test('a reader that closes its end leaves no trace of an error', async () => {
  const child = spawn(process.execPath, [bin, 'help', 'runbooks'], { env, cwd: home, stdio: ['ignore', 'pipe', 'pipe'] })
  child.stdout.destroy()
  let stderr = ''
  child.stderr.on('data', (chunk) => (stderr += String(chunk)))
  const { code } = await ended(child)
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
})

test('Ctrl-C ends a command that waits, as an interrupt', async () => {
  mkdirSync(join(home, 'state'), { recursive: true })
  const silent = createServer()
  const connected = new Promise<void>((done) => silent.once('connection', () => done()))
  await new Promise<void>((done) => silent.listen(join(home, 'state/muster.sock'), done))
  const child = spawn(process.execPath, [bin, 'status'], { env, cwd: home, stdio: 'ignore' })
  await connected
  child.kill('SIGINT')
  const { code, signal } = await ended(child)
  silent.close()
  expect(signal === 'SIGINT' || code === 130).toBe(true)
})

test('muster-foo on PATH is muster foo, with its exit code', () => {
  const folder = join(home, 'plugins')
  mkdirSync(folder)
  writeFileSync(join(folder, 'muster-hello'), '#!/bin/sh\necho "hello $*"\nexit 3\n')
  chmodSync(join(folder, 'muster-hello'), 0o755)
  expect(muster(['hello', 'you', '--json'], { env: { PATH: `${folder}:${env['PATH']}` } })).toEqual({
    status: 3,
    stdout: 'hello you --json\n',
    stderr: '',
  })
})

test('doctor needs no server and names the state directory', () => {
  const { status, stdout } = muster(['doctor', '--json'])
  const { data } = JSON.parse(stdout) as { data: { findings: { name: string; state: string }[] } }
  expect(data.findings.map(({ name }) => name)).toEqual(
    expect.arrayContaining(['node', 'disk space', 'durable writes', 'root', 'ports on loopback']),
  )
  expect(status).toBe(0)
})

test('config show says where a setting comes from', () => {
  const { stdout } = muster(['config', 'show', '--json'], { env: { MUSTER_CONTEXT: 'blue' } })
  const { data } = JSON.parse(stdout) as { data: { settings: { name: string; value: string; origin: string }[] } }
  expect(data.settings).toContainEqual({ name: 'context', value: 'blue', origin: 'MUSTER_CONTEXT' })
})

/** The first Node on PATH that is too old for muster itself. */
const oldNode = (process.env['PATH'] ?? '')
  .split(':')
  .concat('/usr/bin')
  .map((folder) => join(folder, 'node'))
  .find((file) => existsSync(file) && /^v(1\d|20|21)\./.test(spawnSync(file, ['--version'], { encoding: 'utf8' }).stdout))

test.skipIf(oldNode === undefined)('on Node 20 a checkout runs with the Node it brought (needs Node 20 or 21 on PATH)', () => {
  const { status, stdout } = muster(['version', '--json'], { node: oldNode as string })
  expect(status).toBe(0)
  expect(Number((JSON.parse(stdout) as { data: { node: string } }).data.node.split('.')[0])).toBeGreaterThanOrEqual(22)
  expect(muster(['explain', 'NO_SUCH_CODE'], { node: oldNode as string }).status).toBe(3)
})

test.skipIf(oldNode === undefined)(
  'on Node 20 an installed package says in one sentence what it needs (needs Node 20 or 21 on PATH)',
  () => {
    const folder = join(home, 'installed-old')
    mkdirSync(join(folder, 'bin'), { recursive: true })
    writeFileSync(join(folder, 'package.json'), JSON.stringify({ type: 'module', version: '9.9.9' }))
    writeFileSync(join(folder, 'bin/muster.js'), readFileSync(bin))
    const { status, stderr } = muster(['status'], { node: oldNode as string, bin: join(folder, 'bin/muster.js') })
    expect(status).toBe(1)
    expect(stderr).toMatch(/^muster needs Node 22\.13 or newer, and this is v2\d.*\n$/)
  },
)

test('the packed package runs from anywhere without its sources', () => {
  const folder = join(home, 'packed')
  mkdirSync(folder)
  const packed = spawnSync('npm', ['pack', '--ignore-scripts', '--json', '--pack-destination', folder], { cwd: root, encoding: 'utf8' })
  expect(packed.status, packed.stderr).toBe(0)
  const archive = readdirSync(folder).find((name) => name.endsWith('.tgz')) ?? ''
  expect(spawnSync('tar', ['-xzf', archive], { cwd: folder }).status).toBe(0)
  const files = readdirSync(join(folder, 'package'))
  expect(files.toSorted()).toEqual(['CHANGELOG.md', 'LICENSE', 'README.md', 'bin', 'dist', 'package.json', 'schemas', 'templates'])
  // Its dependencies are installed by npm; here they are borrowed.
  symlinkSync(join(root, 'node_modules'), join(folder, 'package/node_modules'))
  const installed = join(folder, 'package/bin/muster.js')
  expect(muster(['explain', 'PLAN_STALE'], { bin: installed }).status).toBe(0)
  expect(muster(['tw', 'ps', '--help'], { bin: installed }).stdout).toContain('EXAMPLES')
  expect(muster(['doctor'], { bin: installed }).status).toBe(0)
})

/** Files below dist/ that a module imports before it runs. */
function staticImports(file: string, seen = new Set<string>()): Set<string> {
  if (seen.has(file)) return seen
  seen.add(file)
  for (const match of readFileSync(file, 'utf8').matchAll(/(?:^|[;\n])import(?:[\w${},\s*]+from)?"(\.[^"]+)"/g))
    staticImports(resolve(dirname(file), match[1] ?? ''), seen)
  return seen
}

/** Texts that only these packages bring, however they are bundled. */
const HEAVY = {
  zod: 'Invalid input: expected',
  react: 'react.transitional.element',
  'better-sqlite3': 'from"better-sqlite3"',
  fastify: 'fastify',
}

function heavyIn(file: string): { bytes: number; packages: string[] } {
  const texts = [...staticImports(file)].map((path) => readFileSync(path, 'utf8'))
  return {
    bytes: texts.reduce((sum, text) => sum + text.length, 0),
    packages: Object.entries(HEAVY).flatMap(([name, mark]) => (texts.some((text) => text.includes(mark)) ? [name] : [])),
  }
}

test('no command loads a schema library, a screen, a database or more than 200 KB before it runs', () => {
  const folder = join(root, 'dist/commands')
  const files = readdirSync(folder, { recursive: true })
    .map(String)
    .filter((name) => name.endsWith('.js'))
  expect(files.length).toBeGreaterThan(50)
  const heavy = files
    .map((name) => ({ name, ...heavyIn(join(folder, name)) }))
    .filter(({ bytes, packages }) => bytes > 200_000 || packages.length > 0)
  expect(heavy).toEqual([])
  // The marks are still the right ones: the server has them all but the screens.
  expect(heavyIn(join(root, 'dist/server/main.js')).packages).toEqual(['zod', 'better-sqlite3', 'fastify'])
})
