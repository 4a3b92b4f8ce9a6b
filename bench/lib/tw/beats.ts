import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { openTestHub, type TestHub } from '../../../test/support/agent-hub.ts'
import type { Beat } from '../../../src/server/tw/beat.ts'

const SECONDS = 5

export interface BeatLoad {
  way: 'frames' | 'json'
  /** each beats once a second */
  nodes: number
  connections: number
}

/** The server's cpu, in % of a core, while agents beat over real sockets from another process; and how many beats a second it took in. */
export async function beatsOnSockets(load: BeatLoad): Promise<{ cpu: number; rate: number }> {
  const root = mkdtempSync(join(tmpdir(), 'mu-beats-'))
  const server = await openTestHub(join(root, 's'))
  const { way, nodes, connections } = load
  const agents = spawn(
    process.execPath,
    [join(import.meta.dirname, 'beat-load-main.ts'), join(root, 's'), way, String(nodes), String(connections)],
    { stdio: ['pipe', 'pipe', 'inherit'] },
  )
  try {
    const lines = createInterface({ input: agents.stdout })[Symbol.asyncIterator]()
    await lines.next()
    const { beats } = server.hub
    const all = (): Beat[] => [...beats.values()] as Beat[]
    while (beats.size < nodes) await lines.next()
    // Whoever sends frames said before what they stand for; whoever reports has joined when it was concluded on.
    if (way === 'frames') for (const beat of all()) beat.concluded = 1
    while (all().some(({ concluded }) => concluded === null)) await lines.next()
    const [began, usage, heardBefore] = [performance.now(), process.cpuUsage(), heard(server)]
    for (let i = 0; i < SECONDS; i += 1) await lines.next()
    const seconds = (performance.now() - began) / 1000
    const { user, system } = process.cpuUsage(usage)
    return { cpu: (user + system) / 1e4 / seconds, rate: (heard(server) - heardBefore) / seconds }
  } finally {
    agents.stdin.end()
    await new Promise((resolve) => agents.once('exit', resolve))
    await server.close()
    rmSync(root, { recursive: true, force: true })
  }
}

/** Beats taken in so far: the numbers of the agents' last words, which count from 1. */
const heard = (server: TestHub): number => [...server.hub.beats.values()].reduce((sum, beat) => sum + (beat as Beat).seq, 0)
