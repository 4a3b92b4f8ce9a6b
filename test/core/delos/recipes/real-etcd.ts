import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Next, Recipe } from '../../../../src/core/delos/recipes/etcd/step.ts'
import type * as m from '../../../../src/core/delos/wire/messages.ts'
import { freePort } from '../../../support/free-port.ts'

/** Null, or what is missing for a test against the real thing. */
export const missing: string | null =
  spawnSync('etcd', ['--version']).status !== 0
    ? 'etcd is not installed'
    : spawnSync('etcdctl', ['version'], { env: { ...process.env, ETCDCTL_API: '3' } }).status !== 0
      ? 'etcdctl is not installed'
      : null

/** A real etcd, spoken to through its JSON gateway, and its own command line. */
export interface RealEtcd {
  commit: (request: m.TxnRequest) => Promise<m.TxnResponse>
  grant: () => Promise<bigint>
  revoke: (lease: bigint) => Promise<void>
  /** Runs a recipe until it holds, is refused or has to wait. */
  run: <State, Held>(recipe: Recipe<State, Held>) => Promise<Next<State, Held>>
  etcdctl: (...args: string[]) => { child: ChildProcess; output: () => string; ended: Promise<number | null> }
  stop: () => Promise<void>
}

export async function startRealEtcd(): Promise<RealEtcd> {
  const [client, peer] = [await freePort(), await freePort()]
  const dir = mkdtempSync(join(tmpdir(), 'recipes-etcd-'))
  const [url, peerUrl] = [`http://127.0.0.1:${client}`, `http://127.0.0.1:${peer}`]
  const listen = ['--listen-client-urls', url, '--advertise-client-urls', url, '--listen-peer-urls', peerUrl]
  const cluster = ['--initial-advertise-peer-urls', peerUrl, '--initial-cluster', `default=${peerUrl}`]
  const etcd = spawn('etcd', ['--data-dir', dir, ...listen, ...cluster, '--log-level', 'error'], { stdio: 'ignore' })
  const ask = async (path: string, request: unknown): Promise<Record<string, unknown>> => {
    const response = await fetch(`${url}/v3/${path}`, { method: 'POST', body: JSON.stringify(encode(request)) })
    const body = (await response.json()) as Record<string, unknown>
    if (!response.ok) throw new Error(`${path}: ${JSON.stringify(body)}`)
    return body
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
  const commit = async (request: m.TxnRequest): Promise<m.TxnResponse> => txnResponse(await ask('kv/txn', request))
  return {
    commit,
    grant: async () => BigInt((await ask('lease/grant', { TTL: 60 }))['ID'] as string),
    revoke: async (lease) => void (await ask('lease/revoke', { ID: lease })),
    run: async (recipe) => {
      let state = recipe.start
      for (let steps = 0; steps < 100; steps += 1) {
        const next = recipe.told(state, await commit(recipe.ask(state)))
        if (next.do !== 'ask') return next
        state = next.state
      }
      throw new Error('the recipe does not come to rest')
    },
    etcdctl: (...args) => {
      const child = spawn('etcdctl', ['--endpoints', url, ...args], {
        env: { ...process.env, ETCDCTL_API: '3' },
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      let output = ''
      child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()))
      return { child, output: () => output, ended: new Promise((resolve) => child.once('close', resolve)) }
    },
    stop: async () => {
      const ended = new Promise((resolve) => etcd.once('exit', resolve))
      etcd.kill('SIGKILL')
      await ended
      rmSync(dir, { recursive: true, force: true })
    },
  }
}

/** Our message as the gateway takes it: bytes in base64, 64-bit integers as text, what is null left out. */
function encode(value: unknown): unknown {
  if (typeof value === 'string') return Buffer.from(value, 'latin1').toString('base64')
  if (value instanceof Uint8Array) return Buffer.from(value).toString('base64')
  if (typeof value === 'bigint') return String(value)
  if (Array.isArray(value)) return value.map(encode)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).flatMap(([key, item]) => (item === null ? [] : [[key, encode(item)]])))
}

type Json = Record<string, unknown>

/** And back, as far as recipes read answers. */
function txnResponse(json: Json): m.TxnResponse {
  return { header: headerOf(json), succeeded: json['succeeded'] === true, responses: ((json['responses'] ?? []) as Json[]).map(responseOp) }
}

function headerOf(json: Json): m.ResponseHeader {
  return { cluster_id: 0n, member_id: 0n, raft_term: 0, revision: Number((json['header'] as Json | undefined)?.['revision'] ?? 0) }
}

function responseOp(json: Json): m.ResponseOp {
  const [range, txn] = [json['response_range'] as Json | undefined, json['response_txn'] as Json | undefined]
  return {
    response_range:
      range === undefined
        ? null
        : {
            header: headerOf(range),
            kvs: ((range['kvs'] ?? []) as Json[]).map(keyValue),
            more: range['more'] === true,
            count: Number(range['count'] ?? 0),
          },
    response_put: null,
    response_delete_range: null,
    response_txn: txn === undefined ? null : txnResponse(txn),
  }
}

function keyValue(json: Json): m.KeyValue {
  const bytes = (name: string): Buffer => Buffer.from((json[name] ?? '') as string, 'base64')
  const number = (name: string): number => Number(json[name] ?? 0)
  return {
    key: bytes('key').toString('latin1'),
    value: new Uint8Array(bytes('value')),
    create_revision: number('create_revision'),
    mod_revision: number('mod_revision'),
    version: number('version'),
    lease: BigInt((json['lease'] ?? 0) as string),
  }
}
