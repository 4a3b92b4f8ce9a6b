import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { openTestHub, type TestHub } from '../../../test/support/agent-hub.ts'
import type { Beat } from '../../../src/server/tw/beat.ts'

const SECONDS = 5

export interface BeatLoad {
  /** frames of whole connections; whole reports; over the relays that the server names, beside each node's own stream; or those streams alone */
  way: 'frames' | 'json' | 'relays' | 'streams'
  /** each beats once a second */
  nodes: number
  connections: number
}

export interface BeatCost {
  /** of the server, % of a core */
  cpu: number
  /** beats a second that it took in */
  rate: number
  /** agents over which others beat */
  relays: number
}

/** What it costs the server while agents beat over real sockets from another process. */
export async function beatsOnSockets(load: BeatLoad): Promise<BeatCost> {
  const root = mkdtempSync(join(tmpdir(), 'mu-beats-'))
  const { way, nodes, connections } = load
  const server = await openTestHub(join(root, 's'), way === 'relays' ? 0 : undefined)
  const agents = spawn(
    process.execPath,
    [join(import.meta.dirname, 'beat-load-main.ts'), join(root, 's'), way, String(nodes), String(connections)],
    { stdio: ['pipe', 'pipe', 'inherit'] },
  )
  try {
    const lines = createInterface({ input: agents.stdout })[Symbol.asyncIterator]()
    await lines.next()
    const { beats } = server.hub
    const all = (): Beat[] => [...beats.values()]
    while (beats.size < nodes) await lines.next()
    // Whoever sends frames said before what they stand for; whoever reports has joined when it was concluded on.
    if (way === 'frames') for (const beat of all()) beat.concluded = 1
    while (all().some(({ concluded }) => concluded === null)) await lines.next()
    const relays = (): Set<string> => new Set(all().flatMap(({ via }) => via ?? []))
    // Each is told over whom, and then heard over it; on a busy machine one or the other is late, and beats for itself for a while.
    const isOver = (): boolean => all().filter(({ via }) => via !== null).length >= nodes * 0.95
    if (way === 'relays') while (!isOver()) await lines.next()
    const [began, usage, heardBefore] = [performance.now(), process.cpuUsage(), heard(server)]
    for (let i = 0; i < SECONDS; i += 1) await lines.next()
    const seconds = (performance.now() - began) / 1000
    const { user, system } = process.cpuUsage(usage)
    return { cpu: (user + system) / 1e4 / seconds, rate: (heard(server) - heardBefore) / seconds, relays: relays().size }
  } finally {
    agents.stdin.end()
    await new Promise((resolve) => agents.once('exit', resolve))
    await server.close()
    rmSync(root, { recursive: true, force: true })
  }
}

/** Beats taken in so far: the numbers of the agents' last words, which count from 1. */
const heard = (server: TestHub): number => [...server.hub.beats.values()].reduce((sum, beat) => sum + beat.seq, 0)
