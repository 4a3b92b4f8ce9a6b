import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { appendFileSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Entry } from '../../../src/core/contracts/entry.ts'
import { NO_INTAKE } from '../../../src/core/scuba/ports.ts'
import { scubaSystem } from '../../../src/core/scuba/system.ts'
import { createApi } from '../../../src/server/api/api.ts'
import type { ControlLog } from '../../../src/server/state/control-log.ts'
import { startControllers, type ControllerLoop } from '../../../src/server/controllers.ts'
import { openTestLog } from '../../support/log.ts'
import type { ServerHost } from '../../../src/server/host.ts'
import { createLogger } from '../../../src/platform/logger.ts'
import { statePaths } from '../../../src/platform/paths.ts'
import { isAlive, readProcessId, signalProcess } from '../../../src/platform/process.ts'
import { createScubaClient } from '../../../src/server/scuba/client.ts'
import { ensureLeaf, leafPidFile } from '../../../src/server/scuba/process.ts'
import { createTelemetry } from '../../../src/server/scuba/telemetry.ts'
import { wireScuba } from '../../../src/server/scuba/wire.ts'
import { eventually } from '../../support/eventually.ts'
import { BIN } from '../../support/fleet.ts'

/** A server of scuba alone: the real log, API, controllers, wiring and leaf, as `server.ts` puts them together. */
const root = mkdtempSync(join(tmpdir(), 'scuba-server-'))
const paths = statePaths('test', { MUSTER_STATE_DIR: root })
const log = createLogger(null)
const client = createScubaClient(paths.scubaSocket)
const leaf = ensureLeaf(paths, log, NO_INTAKE, 20)
const telemetry = createTelemetry(client, log)
const entries: Entry[] = []
let control: ControlLog
let loop: ControllerLoop | null = null
let close: () => Promise<void> = async () => undefined

beforeAll(async () => {
  for (const dir of [join(paths.log, 'control'), paths.logs, paths.keys]) mkdirSync(dir, { recursive: true })
  control = await openTestLog({ folder: join(paths.log, 'control'), dbFile: paths.stateDb, systems: [scubaSystem] })
  const host: ServerHost = {
    paths,
    log,
    db: control.db,
    position: control.tail,
    now: control.now,
    run: () => Promise.reject(new Error('not here')),
    propose: () => Promise.reject(new Error('not here')),
    onEntries: control.onEntries,
    wake: (name) => loop?.wake(name),
    askAgent: () => {
      throw new Error('no agent here')
    },
    telemetry: telemetry.add,
  }
  control.onEntries((batch) => void entries.push(...batch))
  const wirings = [wireScuba(host, client)]
  const app = createApi(
    {
      domains: [{ systems: [scubaSystem], control }],
      wirings,
      tokens: { find: () => null },
      log,
      status: async () => ({}),
      link: null,
      onOperation: (row) => telemetry.add('muster_requests', { ...row }),
    },
    'socket',
  )
  await leaf.start()
  await app.listen({ path: paths.socket })
  loop = startControllers([scubaSystem], wirings, control, log)
  await wirings[0]?.start?.()
  close = async () => {
    await wirings[0]?.stop?.()
    await loop?.stop()
    await app.close()
    await telemetry.stop()
    await control.close()
  }
})

afterAll(async () => {
  await close()
  await leaf.detach()
  client.close()
  const id = readProcessId(leafPidFile(paths))
  if (id) {
    signalProcess(id, 'SIGKILL')
    while (isAlive(id)) await sleep(10)
  }
  rmSync(root, { recursive: true, force: true })
})

const env = { ...process.env, MUSTER_STATE_DIR: root, NO_COLOR: '1' }

/** Runs a command as a person or a script would. */
const muster = (args: string[], stdin = ''): Promise<{ code: number; stdout: string; stderr: string }> =>
  new Promise((resolve) => {
    const child = execFile(process.execPath, [BIN, ...args], { env, maxBuffer: 1e8 }, (error, stdout, stderr) =>
      resolve({ code: error ? Number(error.code ?? 1) : 0, stdout, stderr }),
    )
    child.stdin?.end(stdin)
  })
const json = async (
  args: string[],
  stdin?: string,
): Promise<{ ok: boolean; data: Record<string, unknown>; error?: { code: string; exit: number } }> => {
  const { stdout, stderr } = await muster([...args, '--json'], stdin)
  expect(stderr).toBe('')
  return JSON.parse(stdout) as never
}

const row = (i: number): object => ({
  time: Date.now() - 5000 + i,
  service: 'web',
  version: i % 4 === 0 ? 'v2' : 'v1',
  arm: 'primary',
  status: i % 50 === 0 ? 500 : 200,
  latency_ms: i % 100,
})

test('send from a file and a pipe, then query, panel and table show say the same rows', { timeout: 120_000 }, async () => {
  const file = join(root, 'rows.ndjson')
  writeFileSync(file, `${Array.from({ length: 400 }, (_, i) => JSON.stringify(row(i))).join('\n')}\nnot json\n`)
  const sent = await json(['scuba', 'send', 'requests', file, '--key', 'file', '--batch', '10KiB'])
  expect(sent.data).toMatchObject({ accepted: 400, quarantined: 1, duplicate: 0 })
  expect(Number(sent.data['batches'])).toBeGreaterThan(2)
  expect((await json(['scuba', 'send', 'requests', file, '--key', 'file', '--batch', '10KiB'])).data).toMatchObject({
    accepted: 0,
    duplicate: 400,
  })
  expect((await muster(['scuba', 'send', 'requests', '-'], `${JSON.stringify(row(400))}\n`)).stdout).toContain('1 rows in requests')

  const query = await muster(['scuba', 'query', 'select version, status, count(*) as n from requests group by 1, 2 order by 1, 2'])
  expect(query.code).toBe(0)
  expect(query.stdout).toMatch(/VERSION\s+STATUS\s+N\n/)
  expect(query.stdout).toMatch(/v1\s+200\s+296\n/)
  expect(query.stdout).toMatch(/401 rows scanned, coverage 100 %/)
  expect(
    (await json(['scuba', 'query', 'select count(*) as n from requests where status >= $min', '--param', 'min=500'])).data['rows'],
  ).toEqual([[9]])

  const panel = await json(['scuba', 'panel', 'requests', '--by', 'version', '--calc', 'count,p99:latency_ms', '--step', '5s'])
  expect(
    (panel.data['groups'] as { key: unknown; values: Record<string, number> }[]).map(({ key, values }) => [key, values['count']]),
  ).toEqual([
    [{ version: 'v1' }, 300],
    [{ version: 'v2' }, 101],
  ])
  expect((await muster(['scuba', 'panel', 'requests', '--calc', 'count', '--step', '1s'])).stdout).toMatch(/[\u2801-\u28ff]/)
  expect((await muster(['scuba', 'table', 'list'])).stdout).toMatch(/requests\s+401/)
  expect((await json(['scuba', 'table', 'show', 'requests'])).data).toMatchObject({ name: 'requests', rows: 401 })
})

test('a batch is looked up by its key; a run that was cut off is taken up where it ended', { timeout: 120_000 }, async () => {
  const file = join(root, 'again.ndjson')
  const lines = Array.from({ length: 300 }, (_, i) => `{"n":${i}}`)
  writeFileSync(file, `${lines.slice(0, 200).join('\n')}\n`)
  const send = ['scuba', 'send', 'again', file, '--batch', '500B', '--key', 'run', '--resume']
  const first = await json(send)
  expect(first.data).toMatchObject({ accepted: 200, duplicate: 0 })
  // All but the last batch, which ended where the file did, are the same.
  writeFileSync(file, `${lines.join('\n')}\n`)
  expect((await json(send)).error).toMatchObject({ code: 'SCUBA_KEY_REUSED' })
  const receipts = (await json(['scuba', 'receipt', 'run-', '--prefix', '--table', 'again'])).data['receipts'] as {
    key: string
    accepted: number
  }[]
  expect(receipts.reduce((sum, { accepted }) => sum + accepted, 0)).toBeGreaterThanOrEqual(200)
  expect((await json(['scuba', 'receipt', 'run-1'])).data['receipts']).toMatchObject([{ table: 'again', key: 'run-1', quarantined: 0 }])
  expect((await muster(['scuba', 'receipt', 'nobody'])).stdout).toContain('No batch came under this key')
})

test('with --validate a batch with a bad line is refused whole, and says which lines', { timeout: 60_000 }, async () => {
  const { code, stderr } = await muster(['scuba', 'send', 'strict', '-', '--validate'], '{"a":1}\n{"a":\n{"a":3}\n7\n')
  expect(code).toBe(2)
  expect(stderr).toContain('2 lines cannot become rows; line 2: not JSON')
  expect((await json(['scuba', 'send', 'strict', '-', '--validate'], '{"a":1}\n')).data).toMatchObject({ accepted: 1 })
  expect((await json(['scuba', 'query', 'select count(*) from strict'])).data['rows']).toEqual([[1]])
})

test('a file is followed through rotation and a kill -9 of the sender: each of its lines is a row once', { timeout: 120_000 }, async () => {
  const file = join(root, 'app.log')
  let written = 0
  const write = (count: number): void => appendFileSync(file, Array.from({ length: count }, () => `{"n":${(written += 1)}}\n`).join(''))
  const follow = (): ChildProcess =>
    spawn(process.execPath, [BIN, 'scuba', 'send', 'followed', file, '--follow', '--key', 'app', '--resume'], { env, stdio: 'ignore' })
  const arrived = (): Promise<unknown> =>
    eventually(`${written} rows`, 30_000, async () => {
      const { rows } = await client.query('select count(*), count(distinct n), max(n) from followed')
      return JSON.stringify(rows) === JSON.stringify([[written, written, written]])
    })
  write(50)
  let child = follow()
  await arrived()
  write(50)
  child.kill('SIGKILL')
  await once(child, 'exit')
  write(20)
  child = follow()
  try {
    await arrived()
    appendFileSync(file, `{"n":${(written += 1)}}`)
    renameSync(file, `${file}.1`)
    write(30)
    await arrived()
  } finally {
    child.kill('SIGTERM')
    await once(child, 'exit')
  }
})

test('lines of a pipe that stays open are sent when they have waited for a second', { timeout: 60_000 }, async () => {
  const child = spawn(process.execPath, [BIN, 'scuba', 'send', 'piped', '-'], { env, stdio: ['pipe', 'ignore', 'inherit'] })
  child.stdin.write('{"n":1}\n{"n":2}\n{"n":')
  const rows = (): Promise<unknown[][]> => client.query('select n from piped order by n').then((answer) => answer.rows)
  await eventually('the whole lines', 20_000, async () => (await rows()).length === 2)
  child.stdin.end('3}')
  await once(child, 'exit')
  expect(await rows()).toEqual([[1], [2], [3]])
})

test('refusals keep their exit code through server and command line', { timeout: 120_000 }, async () => {
  expect(await muster(['scuba', 'query', 'select * from request'])).toMatchObject({ code: 3 })
  expect(await muster(['scuba', 'query', 'selec 1'])).toMatchObject({ code: 2 })
  expect(await muster(['scuba', 'send', 'requests', join(root, 'missing')])).toMatchObject({ code: 2 })
  expect((await json(['scuba', 'query', "select * from read_csv('/etc/passwd')"])).error).toMatchObject({ code: 'SCUBA_SQL', exit: 2 })
})

test('tail shows rows as they come, through the server', { timeout: 60_000 }, async () => {
  const child = spawn(process.execPath, [BIN, 'scuba', 'tail', 'tailed', '--limit', '2', '--json'], {
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let text = ''
  child.stdout.on('data', (part: Buffer) => (text += part.toString()))
  const over = new Promise((resolve) => child.once('exit', resolve))
  for (let i = 0; child.exitCode === null; i += 1) {
    await client.send('tailed', [{ i }])
    await sleep(100)
  }
  expect(await over).toBe(0)
  expect(
    text
      .trim()
      .split('\n')
      .map((line) => Object.keys(JSON.parse(line) as object)),
  ).toEqual([
    ['time', 'ingest_time', 'time_source', 'i'],
    ['time', 'ingest_time', 'time_source', 'i'],
  ])
})

test('an alert rule fires on rows that breach it, names service and sev, and clears when they stop', { timeout: 120_000 }, async () => {
  const file = join(root, 'rule.yaml')
  writeFileSync(
    file,
    'name: fast\ntable: alerted\nsev: 2\ncalc: ratio(status >= 500)\nby: [service]\nfire: "> 1%"\nevery: 1s\ndelay: 0s\nfor: 1s\nkeep_firing_for: 2s\nno_data: keep\n',
  )
  expect((await muster(['scuba', 'alert', 'put', file])).stdout).toContain('Alert rule fast is in force')
  let status = 500
  const feed = setInterval(() => void client.send('alerted', [{ time: Date.now(), service: 'web', status }]).catch(() => undefined), 50)
  try {
    const moved = (to: string): Promise<Entry> =>
      eventually(`the alert moves to ${to}`, 50_000, () =>
        entries.findLast(({ type, body }) => type === 'scuba.AlertMoved' && (body as { to: string }).to === to),
      )
    expect(await moved('firing')).toMatchObject({
      body: { rule: 'fast', group: 'service=web', service: 'web', sev: 2, value: 1 },
      notable: { kind: 'alert', target: 'fast', service: 'web' },
    })
    expect((await muster(['scuba', 'alert', 'list'])).stdout).toMatch(/fast\s+✖ firing/)
    expect((await muster(['scuba', 'alert', 'show', 'fast'])).stdout).toContain('service=web')
    status = 200
    await moved('inactive')
  } finally {
    clearInterval(feed)
  }
})

test('a broken rule file is refused with line and column, and nothing is put', { timeout: 60_000 }, async () => {
  const file = join(root, 'broken.yaml')
  writeFileSync(file, 'name: other\ntable: x\nsev: 2\ncalc: count\nfire: "lots"\n')
  const put = await muster(['scuba', 'alert', 'put', file])
  expect(put).toMatchObject({ code: 2 })
  expect(put.stderr).toContain(`${file}:5:7`)
  expect(entries.some(({ type, body }) => type === 'scuba.AlertSet' && JSON.stringify(body).includes('other'))).toBe(false)
  const templates = join(import.meta.dirname, '../../../templates/alerts')
  for (const name of readdirSync(templates))
    expect(await muster(['scuba', 'alert', 'put', join(templates, name)])).toMatchObject({ code: 0 })
})

test(
  "muster's own telemetry arrives; while the leaf is away it waits, and the leaf is started again when it was killed",
  { timeout: 60_000 },
  async () => {
    const before = readProcessId(leafPidFile(paths))
    if (!before) throw new Error('no leaf')
    signalProcess(before, 'SIGKILL')
    telemetry.add('muster_metrics', { name: 'test.metric', value: 1 })
    const rows = await eventually('it arrives', 50_000, async () => {
      const answer = await client.query(`select name, value from muster_metrics where name = 'test.metric'`)
      return answer.rows.length > 0 && answer.rows
    })
    expect(rows).toEqual([['test.metric', 1]])
    expect(leaf.status().pid).not.toBe(before.pid)
    expect((await client.query('select count(*) from muster_requests')).rows[0]?.[0]).toBeGreaterThan(0)
  },
)
