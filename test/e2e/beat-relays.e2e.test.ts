import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
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

  const rows = async (): Promise<Row[]> => (await server.data('tw', 'node', 'ls')) as Row[]
  const pidOf = (node: string): number =>
    (JSON.parse(readFileSync(join((homes.get(node) as TestFleet).root, 'agents', node, 'agent.json'), 'utf8')) as { pid: number }).pid
  /** Over whom all of these beat, once it is one of them. */
  const relayOf = async (nodes: readonly string[]): Promise<string> => {
    let relay = ''
    await eventually(`${nodes.join()} beat over one of them`, 40_000, async () => {
      const now = (await rows()).filter(({ node }) => nodes.includes(node))
      const over = new Set(now.flatMap((row) => row.relay ?? []))
      relay = [...over][0] ?? ''
      return over.size === 1 && now.filter((row) => row.relay === relay).length === nodes.length - 1
    })
    return relay
  }
  /** The longest silence of any of these until `isOver`. */
  const longestSilence = async (nodes: readonly string[], isOver: (rows: Row[]) => boolean): Promise<number> => {
    let longest = 0
    await eventually('what is waited for', 40_000, async () => {
      const now = await rows()
      for (const row of now) if (nodes.includes(row.node)) longest = Math.max(longest, row.silentMs)
      return isOver(now)
    })
    return longest
  }
  const stateOf = (all: readonly Row[], node: string): string => all.find((row) => row.node === node)?.state ?? ''

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

    // It hangs: its connections stay open, and nothing comes of them.
    process.kill(pidOf(stopped), 'SIGSTOP')
    const others = NODES.filter((node) => node !== stopped)
    const hung = await longestSilence(others, (all) => stateOf(all, stopped) === 'suspect')
    const killed = await relayOf(others)
    process.kill(pidOf(stopped), 'SIGCONT')
    await eventually('it is back', 30_000, async () => stateOf(await rows(), stopped) === 'ready')

    process.kill(pidOf(killed), 'SIGKILL')
    const left = NODES.filter((node) => node !== killed && node !== stopped)
    const cut = await relayOf(left)
    const dead = await longestSilence(left, () => true)

    machines.network.unplug(cut)
    const gone = await longestSilence(
      NODES.filter((node) => node !== cut),
      (all) => stateOf(all, cut) === 'lost',
    )
    // Nobody was even asked about.
    expect(Math.max(hung, dead, gone)).toBeLessThan(6000)
    machines.network.plug(cut)
    await eventually('it is back', 30_000, async () => stateOf(await rows(), cut) === 'ready')
    const { stdout: events } = await server.muster('tw', 'events', '--type', 'tw.NodeLost', '--limit', '50', '--json')
    const lost = events.split('\n').flatMap((line) => (line === '' ? [] : [(JSON.parse(line) as { body?: { node?: string } }).body?.node]))
    expect(lost.filter((node) => node !== stopped)).toEqual([cut])
  }, 240_000)
})
