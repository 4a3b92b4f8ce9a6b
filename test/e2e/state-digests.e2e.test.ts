import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createClient } from '../../src/cli/client.ts'
import { openStateDb } from '../../src/server/state/state-db.ts'
import { stateDigest } from '../../src/server/state/state-digest.ts'
import { eventually } from '../support/eventually.ts'
import { newFleet, type TestFleet } from '../support/fleet.ts'

/** Three servers of one fleet, each with a state directory of its own, which compare their states at every 10th position. */
let servers: { name: string; fleet: TestFleet }[]

beforeAll(() => {
  servers = ['a', 'b', 'c'].map((name) => ({ name, fleet: newFleet() }))
  for (const { fleet } of servers)
    Object.assign(fleet.env, { MUSTER_DELOS_MARK_EVERY: '10', MUSTER_DELOS_SEGMENT_BYTES: String(1024 * 1024) })
})
afterAll(async () => {
  for (const { fleet } of servers) await fleet.end()
}, 120_000)

const at = (i: number): TestFleet => (servers[i] as (typeof servers)[0]).fleet
const ask = (i: number, operation: string, input: object): Promise<{ data: never }> =>
  createClient({ socketPath: join(at(i).root, 'muster.sock'), isTls: false, token: null }, 'user:test').call(operation, input)
const put = (i: number, name: string, body: string): Promise<unknown> => ask(i, 'delos.meta.put', { kind: 'thing', name, body })
const codeOf = (asked: Promise<unknown>): Promise<string> =>
  asked.then(
    () => 'OK',
    (error: { code: string }) => error.code,
  )
const stateDb = (i: number): string => join(at(i).root, 'state.db')

/** Changes a row behind the server's back, while it runs. */
function spoil(i: number, body: string): void {
  const db = new Database(stateDb(i))
  try {
    db.pragma('busy_timeout = 5000')
    expect(db.prepare("UPDATE delos_meta SET body = ? WHERE kind = 'thing' AND name = 'victim'").run(JSON.stringify(body)).changes).toBe(1)
  } finally {
    db.close()
  }
}
function bodyAt(i: number): string {
  const db = new Database(stateDb(i), { readonly: true })
  try {
    return JSON.parse(db.prepare<[], { body: string }>("SELECT body FROM delos_meta WHERE name = 'victim'").get()?.body ?? 'null') as string
  } finally {
    db.close()
  }
}
function standAt(i: number): { digest: string; position: number } {
  const db = openStateDb(stateDb(i))
  try {
    db.raw.exec('BEGIN')
    const position = db.get<{ value: number }>("SELECT value FROM muster_state WHERE key = 'batch'")?.value ?? 0
    return { digest: stateDigest(db), position }
  } finally {
    db.close()
  }
}

let written = 0
/** So many positions more. */
async function write(i: number, positions: number): Promise<void> {
  for (let n = 0; n < positions; n += 1) {
    const name = `fill/${(written += 1)}`
    // While another server takes the lead it is refused.
    await eventually('a write', 30_000, async () => (await codeOf(put(i, name, 'x'))) === 'OK')
  }
}

const statusOf = async (i: number): Promise<{ name: string; leads: boolean; state: string | null }[]> =>
  (await at(i).data('delos', 'status')).servers
const alarms = async (i: number): Promise<string[]> => {
  const { entries } = await at(i).data('delos', 'log', 'ls', '--type', 'delos.Alarm', '--limit', '50')
  return (entries as { type: string; body: { kind: string; target: string } }[]).map(
    ({ type, body }) => `${type} ${body.kind} ${body.target}`,
  )
}
const serverLog = (i: number): string => readFileSync(join(at(i).root, 'logs', 'server.log'), 'utf8')
/** How often a server's log says it: the same server may be found again. */
const saidAt = (i: number, what: string): number => serverLog(i).split(what).length - 1
const GIVES_LEAD = 'the lead is to go to a server that can decide'
const statesAre = (i: number, states: unknown[]): Promise<unknown> =>
  eventually('all say how they are', 60_000, async () => {
    expect((await statusOf(i)).map(({ state }) => state)).toEqual(states)
    return true
  })

test(
  'a state that was changed behind the back of its server is found, named, and replaced by another server’s',
  { timeout: 300_000 },
  async () => {
    await at(0).data('up', '--name', 'a', '--nodes', '0')
    const { token } = await at(0).data('delos', 'member', 'token', '--uses', '2')
    for (const i of [1, 2]) await at(i).data('up', '--join', token, '--name', servers[i]?.name ?? '', '--voter', '--nodes', '0')
    await eventually('three voters', 120_000, async () =>
      (await at(0).data('delos', 'member', 'ls')).members.every(({ role }: { role: string }) => role === 'voter'),
    )
    await put(0, 'victim', 'right')
    await write(0, 12)
    for (const leads of [false, true]) {
      await statesAre(0, [null, null, null])
      const before = await statusOf(0)
      const name = before.find((one) => one.leads === leads)?.name as string
      const spoiled = servers.findIndex((server) => server.name === name)
      await eventually('it has the row', 20_000, () => bodyAt(spoiled) === 'right')
      const found = saidAt(spoiled, 'DELOS_STATE_DIFFERS')
      const anew = saidAt(spoiled, 'its state was made anew after batch')
      const gave = saidAt(spoiled, GIVES_LEAD)
      const isRaised = (alarm: string): boolean => alarm === `delos.AlarmRaised CORRUPT ${name}`
      const raised = (await alarms(0)).filter(isRaised).length

      spoil(spoiled, 'wrong')
      // A server that still reckons has no digest of a mark that comes meanwhile: there have to be more of them.
      await eventually('it is found', 60_000, async () => {
        await write(0, 1)
        return saidAt(spoiled, 'DELOS_STATE_DIFFERS') > found
      })
      // One that is not to decide does not, and may lead again as soon as it is.
      if (leads) await eventually('the lead goes elsewhere', 30_000, () => saidAt(spoiled, GIVES_LEAD) > gave)
      await eventually('another state', 60_000, () => bodyAt(spoiled) === 'right')
      await eventually('it says so', 10_000, () => saidAt(spoiled, 'its state was made anew after batch') > anew)
      await eventually('the alarm', 30_000, async () => (await alarms(0)).filter(isRaised).length > raised)
      await eventually('the incident', 30_000, async () =>
        JSON.stringify(await at(0).data('sev', 'ls')).includes('its state differs from that of a majority'),
      )

      // Compared once more it is what the others have, and that is over.
      await eventually('the end of the alarm', 60_000, async () => {
        await write(0, 1)
        const of = (await alarms(0)).filter((alarm) => alarm.endsWith(` CORRUPT ${name}`))
        return of.filter((alarm) => !isRaised(alarm)).length === of.filter(isRaised).length
      })
      await statesAre(0, [null, null, null])
      await eventually('all are alike', 60_000, () => {
        const stands = [0, 1, 2].map(standAt)
        return new Set(stands.map(({ digest, position }) => `${digest} ${position}`)).size === 1
      })
      expect(existsSync(`${stateDb(spoiled)}.unfit`)).toBe(false)
    }
  },
)

test(
  'when no two servers have the same state nothing is read of any; who is started again makes its own anew, and most decide',
  { timeout: 300_000 },
  async () => {
    for (const i of [0, 1, 2]) spoil(i, `wrong ${i}`)
    await eventually('nobody answers', 60_000, async () => {
      await codeOf(put(0, `fill/${(written += 1)}`, 'x'))
      const codes = await Promise.all([0, 1, 2].map((i) => codeOf(ask(i, 'delos.meta.get', { kind: 'thing', name: 'victim' }))))
      return codes.every((code) => code === 'DELOS_STATE_SPLIT')
    })
    const refused = await at(1).muster('delos', 'meta', 'get', 'victim', '--kind', 'thing', '--json')
    expect([refused.exitCode, refused.json.error.code]).toEqual([6, 'DELOS_STATE_SPLIT'])
    expect(await codeOf(put(2, 'refused', 'x'))).toBe('DELOS_STATE_SPLIT')
    // Keys are of another log; the pager says it, and can be answered.
    expect(await codeOf(ask(1, 'delos.kv.put', { key: 'k', value: 'v' }))).toBe('OK')
    await eventually('the alarm', 30_000, async () => (await alarms(0)).includes('delos.AlarmRaised CORRUPT control'))
    await statesAre(
      1,
      [0, 1, 2].map(() => expect.stringContaining('nothing is answered from what may be wrong')),
    )
    expect((await at(1).muster('delos', 'status')).stdout).toContain('a: the servers have different states at batch')
    await eventually('an incident', 30_000, async () => (await at(0).data('sev', 'ls')).incidents.length > 0)

    // Two that began anew are a majority; the third then knows that its state is the odd one.
    for (const i of [0, 1]) {
      const pid = at(i).serverPid() as number
      process.kill(pid, 'SIGTERM')
      await eventually('its end', 20_000, () => !existsSync(`/proc/${pid}`))
      await at(i).data('up')
      expect(existsSync(`${stateDb(i)}.unfit`)).toBe(false)
      await eventually('its own state', 30_000, () => bodyAt(i) === 'right')
    }
    await eventually(
      'it is read again',
      60_000,
      async () => (await codeOf(ask(1, 'delos.meta.get', { kind: 'thing', name: 'victim' }))) === 'OK',
    )
    await eventually('the third has the state of another server', 60_000, async () => {
      await write(1, 1)
      return bodyAt(2) === 'right' && !existsSync(`${stateDb(2)}.unfit`)
    })
    await eventually(
      'all are alike',
      60_000,
      () => new Set([0, 1, 2].map(standAt).map(({ digest, position }) => `${digest} ${position}`)).size === 1,
    )
  },
)
