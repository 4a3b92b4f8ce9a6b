import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { SUSPECT_MS } from '../../src/core/tw/queries.ts'
import { newFleet, type TestFleet } from '../support/fleet.ts'
import { eventually } from '../support/eventually.ts'
import { openMachines, whyNoMachines, type Machines } from '../support/netns.ts'

const reason = whyNoMachines()
const NODES = ['a', 'b', 'c', 'd']

interface Row {
  node: string
  state: string
  silentMs: number
  relay: string | null
}

/** Four machines of one rack, and a server that lets agents beat over relays when there are more than two. */
describe.skipIf(reason !== null)(`beats over relays${reason === null ? '' : `: ${reason}`}`, () => {
  let machines: Machines
  let server: TestFleet
  const homes = new Map<string, TestFleet>()

  /** The longest silence that was seen of each node since this was emptied, ms. */
  const silences = new Map<string, number>()
  const rows = async (): Promise<Row[]> => {
    const now = (await server.data('tw', 'node', 'ls')) as Row[]
    for (const { node, silentMs } of now) silences.set(node, Math.max(silences.get(node) ?? 0, silentMs))
    return now
  }
  /** Of any of these while `work` is done. */
  const longestSilence = async (nodes: readonly string[], work: () => Promise<unknown>): Promise<number> => {
    silences.clear()
    await work()
    return Math.max(...nodes.map((node) => silences.get(node) ?? 0))
  }
  const pidOf = (node: string): number =>
    (JSON.parse(readFileSync(join((homes.get(node) as TestFleet).root, 'agents', node, 'agent.json'), 'utf8')) as { pid: number }).pid
  /** The one over whom all of these beat, but for itself if it is one of them; not over who was one before. */
  const relayOf = async (nodes: readonly string[], before: readonly string[] = []): Promise<string> => {
    let relay = ''
    await eventually(`${nodes.join()} beat over one node`, 40_000, async () => {
      const now = (await rows()).filter(({ node }) => nodes.includes(node))
      relay = now.flatMap((row) => row.relay ?? [])[0] ?? ''
      return relay !== '' && !before.includes(relay) && now.every((row) => row.node === relay || row.relay === relay)
    })
    return relay
  }
  const isState = (node: string, state: string): Promise<unknown> =>
    eventually(`${node} is ${state}`, 40_000, async () => (await rows()).find((row) => row.node === node)?.state === state)

  beforeAll(async () => {
    machines = openMachines(['s', ...NODES])
    server = newFleet()
    server.env['MUSTER_TW_RELAYS_FROM'] = '2'
    const up = await machines.muster('s', server, 'up', '--nodes', '0', '--agents', `${machines.network.addressOf('s')}:7800`)
    expect([up.exitCode, up.stderr]).toEqual([0, expect.stringContaining('starting')])
    const { token } = await server.data('tw', 'node', 'token', '--uses', String(NODES.length))
    for (const node of NODES) {
      homes.set(node, newFleet())
      const given = ['--name', node, '--rack', 'k', '--address', machines.network.addressOf(node), '--cpu', '1', '--token', token]
      machines.start(node, homes.get(node) as TestFleet, 'agent', ...given)
    }
    await eventually('all have joined', 60_000, async () => (await rows()).filter(({ state }) => state === 'ready').length === NODES.length)
  }, 120_000)

  afterAll(async () => {
    machines.close()
    for (const fleet of homes.values()) await fleet.end()
    await server.end()
  })

  test('a relay that is stopped, one that is killed and one that is cut off make none of those look silent that beat over them', async () => {
    const stopped = await relayOf(NODES)
    const { stdout } = await server.muster('tw', 'node', 'show', NODES.find((node) => node !== stopped) as string)
    expect(stdout).toContain(`over ${stopped}`)

    // What a beat takes on this machine while nothing is wrong: at most two seconds, unless it has much other work.
    const calm = await longestSilence(NODES, async () => {
      for (let look = 0; look < 5; look += 1) await rows()
    })
    const allowedMs = Math.max(SUSPECT_MS, 3 * calm)

    // It hangs: its connections stay open, and nothing comes of them.
    const others = NODES.filter((node) => node !== stopped)
    let killed = ''
    process.kill(pidOf(stopped), 'SIGSTOP')
    const hung = await longestSilence(others, async () => {
      await isState(stopped, 'suspect')
      killed = await relayOf(others, [stopped])
    })
    process.kill(pidOf(stopped), 'SIGCONT')
    await isState(stopped, 'ready')

    const left = NODES.filter((node) => node !== killed && node !== stopped)
    const pid = pidOf(killed)
    process.kill(pid, 'SIGKILL')
    const dead = await longestSilence(left, () =>
      eventually('another agent in its place', 40_000, async () => {
        const row = (await rows()).find(({ node }) => node === killed)
        return pidOf(killed) !== pid && row?.state === 'ready' && row.silentMs < SUSPECT_MS / 2
      }),
    )

    let cut = ''
    await eventually('somebody beats over another one again', 40_000, async () => {
      cut = (await rows()).flatMap((row) => row.relay ?? [])[0] ?? ''
      return cut !== ''
    })
    machines.network.unplug(cut)
    const gone = await longestSilence(
      NODES.filter((node) => node !== cut),
      () => isState(cut, 'lost'),
    )
    // Nobody was even asked about.
    expect(Math.max(hung, dead, gone)).toBeLessThan(allowedMs)
    machines.network.plug(cut)
    await isState(cut, 'ready')
    const { stdout: events } = await server.muster('tw', 'events', '--type', 'tw.NodeLost', '--limit', '50', '--json')
    const lost = events.split('\n').flatMap((line) => (line === '' ? [] : [(JSON.parse(line) as { body?: { node?: string } }).body?.node]))
    // Those that were stopped and killed may have been back too late.
    expect(lost).toContain(cut)
    expect(lost.filter((node) => ![stopped, killed, cut].includes(node ?? ''))).toEqual([])
  }, 240_000)
})
