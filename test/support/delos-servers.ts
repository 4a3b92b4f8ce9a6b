import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { eventually } from './eventually.ts'
import { BIN } from './fleet.ts'
import { freePort } from './free-port.ts'

/**
 * Log files of a fleet's size instead of 64 MiB: a server writes two of them full of zeros when it is new, and two more
 * at each switch of its log, which on one disk is what many servers at once would wait for. For the same reason a disk may be slower
 * than where nothing else runs.
 */
export const SERVER_ENV = { MUSTER_DELOS_SEGMENT_BYTES: String(16 * 1024 * 1024), MUSTER_DELOS_PROMOTE_SYNC_MS: '2000' }

/** One `muster delos serve`, which can be killed and started again on the same data and ports. */
export interface DelosServerProcess {
  name: string
  dir: string
  /** `http://127.0.0.1:PORT` for clients; https with `--cert-file` */
  url: string
  start: (...more: string[]) => void
  /** Ends it by a signal and waits for its end; gives its exit code, or the signal. */
  end: (signal?: NodeJS.Signals) => Promise<number | string | null>
  pause: () => void
  resume: () => void
  output: () => string
  pid: () => number
  isRunning: () => boolean
  /** What it said before it ended by itself, or null. */
  unexpectedEnd: () => string | null
}

export interface DelosServers {
  servers: DelosServerProcess[]
  /** what `--initial-cluster` says */
  cluster: string
  /** Waits until every server that was started answers `/health` with true; rejects when one has ended by itself. */
  healthy: () => Promise<void>
  remove: () => Promise<void>
}

/** 1, 3 or 5 servers of one cluster on loopback, not started yet. With https the certificates are among the flags, or given at the start. */
export async function newDelosServers(
  count: number,
  flags: readonly string[] = [],
  schemes: { client: string; peer: string } = { client: 'http', peer: 'http' },
): Promise<DelosServers> {
  const root = mkdtempSync(join(tmpdir(), 'muster-serve-'))
  const names = ['a', 'b', 'c', 'd', 'e'].slice(0, count)
  const ports: { client: number; peer: number }[] = []
  for (const _ of names) ports.push({ client: await freePort(), peer: await freePort() })
  const cluster = names.map((name, i) => `${name}=${schemes.peer}://127.0.0.1:${ports[i]?.peer}`).join(',')
  const servers = names.map((name, i): DelosServerProcess => {
    let child: ChildProcess | null = null
    let said = ''
    const url = `${schemes.client}://127.0.0.1:${ports[i]?.client}`
    const dir = join(root, name)
    return {
      name,
      dir,
      url,
      start: (...more) => {
        const args = ['delos', 'serve', '--name', name, '--data-dir', dir, '--listen-client-urls', url]
        args.push('--listen-peer-urls', `${schemes.peer}://127.0.0.1:${ports[i]?.peer}`, '--initial-cluster', cluster, ...flags, ...more)
        said = ''
        const started = spawn(process.execPath, [BIN, ...args], {
          stdio: ['ignore', 'pipe', 'pipe'],
          env: { ...SERVER_ENV, ...process.env, NO_COLOR: '1' },
        })
        for (const stream of [started.stdout, started.stderr]) stream.on('data', (part: Buffer) => (said += part.toString()))
        child = started
      },
      end: async (signal = 'SIGTERM') => {
        const ending = child
        if (ending === null) return null
        child = null
        if (ending.exitCode !== null || ending.signalCode !== null) return ending.exitCode ?? ending.signalCode
        ending.kill(signal)
        await once(ending, 'exit')
        return ending.exitCode ?? ending.signalCode
      },
      pause: () => void child?.kill('SIGSTOP'),
      resume: () => void child?.kill('SIGCONT'),
      output: () => said,
      pid: () => child?.pid ?? 0,
      unexpectedEnd: () =>
        child === null || (child.exitCode === null && child.signalCode === null)
          ? null
          : `${name} ended by itself (${child.exitCode ?? child.signalCode}): ${said}`,
      isRunning: () => child !== null && child.exitCode === null && child.signalCode === null,
    }
  })
  return {
    servers,
    cluster,
    healthy: async () => {
      for (const server of servers) {
        if (server.pid() === 0) continue
        await eventually(`${server.name} is healthy: ${server.output()}`, 60_000, async () => {
          if (server.unexpectedEnd() !== null) return true
          const answer = await fetch(`${server.url}/health`, { signal: AbortSignal.timeout(2000) })
          return ((await answer.json()) as { health: string }).health === 'true'
        })
        const ended = server.unexpectedEnd()
        if (ended !== null) throw new Error(ended)
      }
    },
    remove: async () => {
      for (const server of servers) {
        server.resume()
        await server.end('SIGKILL')
      }
      rmSync(root, { recursive: true, force: true })
    },
  }
}

const base64 = (text: string): string => Buffer.from(text).toString('base64')

export interface GatewayAnswer {
  status: number
  // oxlint-disable-next-line typescript/no-explicit-any -- tests look at what they expect
  body: any
}

/** One call of the JSON gateway; rejects when no answer came in time. */
export async function gateway(url: string, path: string, body: object, token = '', timeoutMs = 10_000): Promise<GatewayAnswer> {
  const answer = await fetch(`${url}/v3/${path}`, {
    method: 'POST',
    body: JSON.stringify(body),
    headers: token === '' ? {} : { authorization: token },
    signal: AbortSignal.timeout(timeoutMs),
  })
  return { status: answer.status, body: await answer.json() }
}

/** Puts a key; gives the revision it was acknowledged at, or null when it was not. */
export async function putKey(url: string, key: string, value: string, timeoutMs = 10_000): Promise<number | null> {
  try {
    const { status, body } = await gateway(url, 'kv/put', { key: base64(key), value: base64(value) }, '', timeoutMs)
    return status === 200 ? Number(body.header.revision) : null
  } catch {
    return null
  }
}

/** All keys with a prefix, with their values and revisions. */
export async function getPrefix(
  url: string,
  prefix: string,
  isSerializable = false,
): Promise<Map<string, { value: string; revision: number }>> {
  const end = prefix.slice(0, -1) + String.fromCharCode(prefix.charCodeAt(prefix.length - 1) + 1)
  const { body } = await gateway(url, 'kv/range', { key: base64(prefix), range_end: base64(end), serializable: isSerializable })
  const decode = (text: string): string => Buffer.from(text, 'base64').toString()
  const kvs = (body.kvs ?? []) as { key: string; value?: string; mod_revision: string }[]
  return new Map(kvs.map(({ key, value, mod_revision }) => [decode(key), { value: decode(value ?? ''), revision: Number(mod_revision) }]))
}
