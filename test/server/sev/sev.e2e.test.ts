import { execa } from 'execa'
import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { newFleet, type TestFleet } from '../../support/fleet.ts'
import { eventually } from '../../support/eventually.ts'

const BIN = fileURLToPath(new URL('../../../bin/muster.js', import.meta.url))
const hasTmux = spawnSync('tmux', ['-V']).status === 0

let fleet: TestFleet
let pager: Server
const pages: { person: string; key: string; kind: string; at: number }[] = []

beforeAll(async () => {
  fleet = newFleet()
  pager = createServer((request, response) => {
    let body = ''
    request.on('data', (chunk) => (body += String(chunk)))
    request.on('end', () => {
      const { key, kind } = JSON.parse(body) as { key: string; kind: string }
      pages.push({ person: request.url?.slice(1) ?? '', key, kind, at: Date.now() })
      response.writeHead(204).end()
    })
  })
  await new Promise<void>((done) => pager.listen(0, '127.0.0.1', done))
  await fleet.data('up', '--nodes', '1')
})

afterAll(async () => {
  await fleet.end()
  pager.closeAllConnections()
  await new Promise((done) => pager.close(done))
})

test('without a schedule a page reaches whoever started the fleet, and `sev oncall` says so', async () => {
  const oncall = await fleet.data('sev', 'oncall')
  expect(oncall).toMatchObject({
    isScheduleApplied: false,
    teams: [
      { isBuiltin: true, roles: [{ role: 'primary', people: [{ person: 'tester', channels: ['terminal', 'file'] }] }, { role: 'lead' }] },
    ],
  })
  expect(oncall.notes.join()).toContain('no schedule was applied')
  const { incident } = await fleet.data('sev', 'declare', 'first light')
  await eventually('the page in the file', 20_000, () => readFileSync(join(fleet.root, 'pages.log'), 'utf8').includes('first light'))
  await fleet.data('sev', 'resolve', String(incident.number), '--cause', 'unknown')
})

test('an escalation that waits goes on after kill -9 of the server, and an acknowledgement ends it', async () => {
  const url = `http://127.0.0.1:${(pager.address() as AddressInfo).port}`
  const file = join(fleet.home, 'oncall.yaml')
  writeFileSync(
    file,
    `version: 1
people:
  tester: { contacts: [{ channel: webhook, address: ${url}/tester }] }
  ben: { contacts: [{ channel: webhook, address: ${url}/ben }] }
teams: { web: { primary: tester, secondary: ben } }
policies: { quick: { steps: [{ targets: [primary] }, { targets: [secondary], after: 4s }] } }
defaults: { team: web, policy: quick }
`,
  )
  await fleet.data('sev', 'schedule', 'apply', file)
  const declaredAt = Date.now()
  const { incident } = await fleet.data('sev', 'declare', 'feed is stale', '--service', 'web')
  await eventually('the first page', 20_000, () => pages.some((page) => page.person === 'tester'))
  process.kill(fleet.serverPid() ?? 0, 'SIGKILL')
  await fleet.data('up', '--nodes', '1')
  const second = await eventually('the second page', 15_000, () => pages.find((page) => page.person === 'ben'))
  expect(second.at - declaredAt).toBeGreaterThanOrEqual(4000)
  // A kill may double a page under its own key; it never makes a new one.
  expect(new Set(pages.filter((page) => page.person === 'tester' && page.kind === 'page').map((page) => page.key)).size).toBe(1)

  await fleet.data('sev', 'ack', String(incident.number))
  await eventually('the stand-down', 20_000, () => pages.some((page) => page.person === 'ben' && page.kind === 'notice'))
  const show = await fleet.data('sev', 'show', String(incident.number))
  expect(show.incident).toMatchObject({ state: 'acked', ackedBy: 'tester', nextStepAt: null, paging: [] })

  await fleet.data('sev', 'note', String(incident.number), 'the cache was cold')
  await fleet.data('sev', 'resolve', '--cause', 'cold cache')
  const out = join(fleet.home, 'postmortem.md')
  await fleet.data('sev', 'postmortem', 'draft', String(incident.number), '--out', out)
  const markdown = readFileSync(out, 'utf8')
  for (const text of ['feed is stale', 'the cache was cold', 'cold cache', 'paging ben']) expect(markdown).toContain(text)
  expect((await fleet.data('sev', 'timeline', String(incident.number), '--verify')).brokenRow).toBe(0)
})

test('bad input is a clear refusal with its exit code', async () => {
  const file = join(fleet.home, 'bad.yaml')
  writeFileSync(file, 'version: 1\npeople:\n  anna: { contacts: [{ channel: terminal }] }\nteams:\n  web: { primary: zoe }\n')
  const apply = await fleet.muster('sev', 'schedule', 'apply', file)
  expect(apply.exitCode).toBe(2)
  expect(apply.stderr).toContain(`${file}:5:19 zoe is neither a person nor a schedule`)
  expect((await fleet.muster('sev', 'schedule', 'lint', file)).exitCode).toBe(7)
  expect((await fleet.muster('sev', 'show', '99999')).exitCode).toBe(3)
  expect((await fleet.muster('sev', 'ack', 'soon')).exitCode).toBe(2)
  expect((await fleet.muster('sev', 'schedule', 'apply', join(fleet.home, 'missing.yaml'))).exitCode).toBe(2)
})

const screen = 'the console acknowledges with one key on a real terminal'
test.skipIf(!hasTmux)(hasTmux ? screen : `${screen} (skipped: no tmux)`, async () => {
  const { incident } = await fleet.data('sev', 'declare', 'feed is stale again', '--service', 'web')
  const socket = join(fleet.home, 'tmux')
  const tmux = async (...args: string[]): Promise<string> =>
    (await execa('tmux', ['-S', socket, ...args], { env: fleet.env, extendEnv: false })).stdout
  const shows = (text: string): Promise<unknown> =>
    eventually(`"${text}" on the screen`, 20_000, async () => (await tmux('capture-pane', '-p')).includes(text))
  await tmux('-f', '/dev/null', 'new-session', '-d', '-x', '80', '-y', '24', process.execPath, BIN, 'sev', 'console')
  try {
    await shows(`SEV2 #${incident.number} feed is stale again`)
    await tmux('send-keys', 'a')
    await shows('acked by tester')
    await shows('u undo')
    expect((await fleet.data('sev', 'show', String(incident.number))).incident.state).toBe('acked')
    await tmux('send-keys', 'q')
    await eventually(
      'the end of the console',
      20_000,
      async () => (await execa('tmux', ['-S', socket, 'ls'], { reject: false, env: fleet.env, extendEnv: false })).exitCode !== 0,
    )
  } finally {
    await execa('tmux', ['-S', socket, 'kill-server'], { reject: false, env: fleet.env, extendEnv: false })
  }
})
