import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { gateway, getPrefix, newDelosServers, putKey, type DelosServerProcess, type DelosServers } from '../../../support/delos-servers.ts'
import { eventually } from '../../../support/eventually.ts'
import { FAKETIME_LIBRARY, fakedClock } from '../../../support/faketime.ts'

const MISSING = FAKETIME_LIBRARY === undefined ? 'needs libfaketime' : null

let cluster: DelosServers
afterEach(() => cluster.remove())

const base64 = (text: string): string => Buffer.from(text).toString('base64')

/** Starts a server whose wall clock is off. */
function startWithClock(server: DelosServerProcess, offset: string): void {
  const faked = { ...fakedClock({ FAKETIME: offset }), FAKETIME_DONT_RESET: '1' }
  Object.assign(process.env, faked)
  try {
    server.start()
  } finally {
    for (const name of Object.keys(faked)) delete process.env[name]
  }
}

const idOf = async (server: DelosServerProcess): Promise<string> =>
  (await gateway(server.url, 'maintenance/status', {})).body.header.member_id as string

async function lead(servers: readonly DelosServerProcess[], wanted: DelosServerProcess): Promise<void> {
  const targetID = await idOf(wanted)
  await eventually('the wanted leader', 30_000, async () => {
    for (const { url } of servers) {
      const { body } = await gateway(url, 'maintenance/status', {})
      if (body.leader === targetID) return true
      if (body.leader === body.header.member_id) await gateway(url, 'maintenance/transfer-leadership', { targetID })
    }
    return false
  })
}

test.skipIf(MISSING !== null)(
  `a server whose clock is six hours ahead ends no lease early, as a leader or after it, and is named by the others (${MISSING ?? 'libfaketime'})`,
  async () => {
    cluster = await newDelosServers(3, ['--profile', 'wan'])
    const servers = cluster.servers
    const [one, two, off] = servers as [DelosServerProcess, DelosServerProcess, DelosServerProcess]
    one.start()
    two.start()
    startWithClock(off, '+6h')
    await cluster.healthy()
    await lead(servers, one)

    const grant = async (TTL: string): Promise<string> => (await gateway(one.url, 'lease/grant', { TTL })).body.ID as string
    // Hours by the wrong clock, but nowhere near its end.
    const long = await grant('3600')
    const short = await grant('5')
    await gateway(one.url, 'kv/put', { key: base64('lease/long'), lease: long })
    await gateway(one.url, 'kv/put', { key: base64('lease/short'), lease: short })
    const kept = setInterval(() => void gateway(two.url, 'lease/keepalive', { ID: short }).catch(() => undefined), 500)
    try {
      await lead(servers, off)
      expect(await putKey(two.url, 'while/off', 'leads')).not.toBeNull()
      await lead(servers, two)
      expect(await putKey(off.url, 'after/off', 'led')).not.toBeNull()
      expect([...(await getPrefix(one.url, 'lease/')).keys()]).toEqual(['lease/long', 'lease/short'])
    } finally {
      clearInterval(kept)
    }
    // It is not that nothing ends any more.
    await eventually('the end of the short one', 60_000, async () => (await getPrefix(one.url, 'lease/')).size === 1)
    const { body } = await gateway(one.url, 'lease/timetolive', { ID: long })
    expect(Number(body.TTL)).toBeGreaterThan(3000)

    const id = BigInt(await idOf(off)).toString(16)
    await eventually('a word on it', 40_000, () => {
      const lines = readFileSync(join(one.dir, 'server.log'), 'utf8').split('\n')
      const said = lines.find((line) => line.includes('the clock of another server differs') && line.includes(id))
      return said !== undefined && Math.abs((JSON.parse(said) as { aheadMs: number }).aheadMs - 6 * 3_600_000) < 60_000
    })
  },
  180_000,
)
