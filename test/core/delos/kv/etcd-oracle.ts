import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort } from '../../../support/free-port.ts'

/** Null, or why there is no real etcd to compare with. */
export const etcdMissing: string | null = spawnSync('etcd', ['--version']).status === 0 ? null : 'etcd is not installed'

export interface Oracle {
  /** Asks etcd's JSON gateway; the answer without what is etcd's own (ids, term), or `{code, text}`. */
  ask(path: string, request: unknown, token?: string): Promise<unknown>
  /** Opens a watch on a stream of its own; `responses` grows. */
  watch(request: unknown): { responses: Record<string, unknown>[]; close(): void }
  stop(): Promise<void>
}

/** Starts an etcd of its own on free ports of the loopback, its data in a directory that `stop` removes. */
export async function startEtcd(): Promise<Oracle> {
  const [client, peer] = [await freePort(), await freePort()]
  const dir = mkdtempSync(join(tmpdir(), 'kv-oracle-'))
  const url = `http://127.0.0.1:${client}`
  const peerUrl = `http://127.0.0.1:${peer}`
  const child = spawn(
    'etcd',
    ['--data-dir', dir, '--listen-client-urls', url, '--advertise-client-urls', url, '--listen-peer-urls', peerUrl]
      .concat(['--initial-advertise-peer-urls', peerUrl, '--initial-cluster', `default=${peerUrl}`, '--log-level', 'error'])
      .concat(['--unsafe-no-fsync', '--bcrypt-cost', '4']),
    { stdio: 'ignore' },
  )
  const ask = async (path: string, request: unknown, token = ''): Promise<unknown> => {
    const headers: Record<string, string> = token === '' ? {} : { authorization: token }
    const response = await fetch(`${url}/v3/${path}`, { method: 'POST', body: JSON.stringify(encode(request)), headers })
    const body = (await response.json()) as Record<string, unknown>
    if (!response.ok) return { code: body['code'], text: body['error'] }
    return withoutIds(body)
  }
  for (let attempt = 0; ; attempt += 1) {
    try {
      await ask('maintenance/status', {})
      break
    } catch (error) {
      if (attempt > 200) throw error
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }
  return { ask, watch: (request) => watch(`${url}/v3/watch`, request), stop: () => stop(child, dir) }
}

function watch(url: string, request: unknown): ReturnType<Oracle['watch']> {
  const responses: Record<string, unknown>[] = []
  const controller = new AbortController()
  const read = async (): Promise<void> => {
    const response = await fetch(url, {
      method: 'POST',
      body: JSON.stringify(encode({ create_request: request })),
      signal: controller.signal,
    })
    let rest = ''
    for await (const chunk of response.body ?? []) {
      const lines = (rest + Buffer.from(chunk).toString()).split('\n')
      rest = lines.pop() ?? ''
      for (const line of lines) {
        const { result } = JSON.parse(line) as { result?: Record<string, unknown> }
        if (result !== undefined) responses.push(withoutIds(result) as Record<string, unknown>)
      }
    }
  }
  // It is ended by `close`; what went wrong before shows as responses that are missing.
  read().catch(() => undefined)
  return { responses, close: () => controller.abort() }
}

async function stop(child: ChildProcess, dir: string): Promise<void> {
  const ended = new Promise((resolve) => child.once('exit', resolve))
  child.kill('SIGKILL')
  await ended
  rmSync(dir, { recursive: true, force: true })
}

/** Fields of etcd's messages that are text and not bytes. */
const TEXTS = new Set(['name', 'role', 'user', 'password'])

/** Our message as the gateway's JSON: bytes in base64, 64-bit integers as text, what is null left out. */
function encode(value: unknown, field = ''): unknown {
  if (typeof value === 'string') return TEXTS.has(field) ? value : Buffer.from(value, 'latin1').toString('base64')
  if (value instanceof Uint8Array) return Buffer.from(value).toString('base64')
  if (typeof value === 'bigint') return String(value)
  if (Array.isArray(value)) return value.map((item) => encode(item))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, item]) => item !== null)
      .map(([key, item]) => [key, encode(item, key)]),
  )
}

function withoutIds(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutIds)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value)
      .filter(([key]) => key !== 'cluster_id' && key !== 'member_id' && key !== 'raft_term')
      .map(([key, item]) => [key, withoutIds(item)]),
  )
}

/** Fields of our objects that are no part of the message. */
const OURS = new Set(['sub', 'isDeleted', 'cluster_id', 'member_id', 'raft_term'])
const ENUMS: Record<string, readonly string[]> = { permType: ['READ', 'WRITE', 'READWRITE'] }

/** Our answer as the gateway would write it: proto3's defaults left out. */
export function asGateway(value: unknown, field = ''): unknown {
  if (value instanceof Uint8Array) return Buffer.from(value).toString('base64')
  if (typeof value === 'bigint') return String(value)
  if (typeof value === 'number') return ENUMS[field]?.[value] ?? String(value)
  if (typeof value === 'string') return field === 'key' || field === 'range_end' ? Buffer.from(value, 'latin1').toString('base64') : value
  if (Array.isArray(value)) return value.map((item) => asGateway(item, field === 'keys' ? 'key' : ''))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value)
      .filter(([key, item]) => !OURS.has(key) && !isDefault(item))
      .map(([key, item]) => [key, asGateway(item, key)]),
  )
}

function isDefault(value: unknown): boolean {
  if (value === null || value === 0 || value === 0n || value === '' || value === false) return true
  return (Array.isArray(value) || value instanceof Uint8Array) && value.length === 0
}

export const show = (value: unknown): string =>
  JSON.stringify(value, (_, item: unknown) => (typeof item === 'bigint' ? String(item) : item))
