import { setTimeout as sleep } from 'node:timers/promises'
import { freePort } from '../../src/platform/free-port.ts'
import { ask } from './gateway.ts'
import { newSoakServer, type SoakServer } from './servers.ts'

const READY_MS = 60_000

/** Waits until each server answers a linearizable read; throws when one ends, or takes too long. */
export async function untilReady(servers: readonly SoakServer[]): Promise<void> {
  const giveUpAt = performance.now() + READY_MS
  for (const { url, name, unexpectedEnd } of servers) {
    while ((await ask(url, 'kv/range', { key: 'AA==' }, 2000)) === null) {
      const ended = unexpectedEnd()
      if (ended !== null) throw new Error(ended)
      if (performance.now() > giveUpAt) throw new Error(`${name} does not answer ${READY_MS / 1000} s after its start`)
      await sleep(25)
    }
  }
}

/** Servers of one cluster on free ports of loopback, not started yet. */
export async function makeServers({ servers: count, profile }: { servers: 1 | 3; profile: string }, root: string): Promise<SoakServer[]> {
  const names = ['a', 'b', 'c'].slice(0, count)
  const ports: number[] = []
  for (let i = 0; i < count * 2; i += 1) ports.push(await freePort('127.0.0.1'))
  const urlOf = (i: number): string => `http://127.0.0.1:${ports[i]}`
  const cluster = names.map((name, i) => `${name}=${urlOf(count + i)}`).join(',')
  return names.map((name, i) =>
    newSoakServer({ name, root, clientUrl: urlOf(i), peerUrl: urlOf(count + i), cluster, flags: ['--profile', profile], before: [] }),
  )
}
