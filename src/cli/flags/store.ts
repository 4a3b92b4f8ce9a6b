import { readFileSync } from 'node:fs'
import type { ChannelOptions } from '../../client/channel.ts'
import type { StoreClient } from '../../client/connect.ts'
import type { Operator } from '../../client/operator.ts'
import { MusterError } from '../../core/kernel/errors.ts'
import { Flags } from '../oclif.ts'
import { durationFlag } from './time.ts'

const file = (description: string) => Flags.string({ description, helpValue: 'FILE', helpGroup: 'STORE' })

/** Where the store is, of every command that coordinates. */
export const STORE_FLAGS = {
  endpoints: Flags.string({
    description: "servers with etcd's v3 API; without it $MUSTER_DELOS_ENDPOINTS, $ETCDCTL_ENDPOINTS, http://127.0.0.1:2379",
    helpValue: 'URL,…',
    helpGroup: 'STORE',
  }),
  user: Flags.string({
    description: 'user of the store; without it $ETCDCTL_USER, and the password from $ETCDCTL_PASSWORD',
    helpValue: 'NAME[:PASSWORD]',
    helpGroup: 'STORE',
  }),
  cacert: file('who signs the certificates of https:// endpoints; without it $ETCDCTL_CACERT, then the system'),
  cert: file('our certificate, where servers ask for one; without it $ETCDCTL_CERT'),
  key: file('its key; without it $ETCDCTL_KEY'),
}

const { endpoints: _, ...OF_STORE } = STORE_FLAGS

/** Of commands that ask the context's own store, or with `--endpoints` another. */
export const OTHER_STORE_FLAGS = {
  endpoints: Flags.string({
    description: "ask a store with etcd's v3 API at these servers, instead of this context's",
    helpValue: 'URL,…',
    helpGroup: 'STORE',
  }),
  ...OF_STORE,
}

export interface StoreFlags {
  endpoints?: string | undefined
  user?: string | undefined
  cacert?: string | undefined
  cert?: string | undefined
  key?: string | undefined
}

/** How long a place is held and waited for. */
export const PLACE_FLAGS = {
  ttl: Flags.string({ description: 'time after which the place is free when we are gone', default: '15s' }),
  wait: Flags.string({ description: 'longest wait; then exit 5; without it as long as it takes', helpValue: 'TIME' }),
  grace: Flags.string({ description: 'time CMD has to end before the lease can; without it a third of --ttl', helpValue: 'TIME' }),
}

/** Of commands about the servers themselves: those of this context, or with `--endpoints` of a store. */
export const SERVERS_FLAGS = {
  endpoints: Flags.string({
    description:
      'ask the servers of a store there; without it $MUSTER_DELOS_ENDPOINTS, $ETCDCTL_ENDPOINTS, then the servers of this context while they run',
    helpValue: 'URL,…',
    helpGroup: 'STORE',
  }),
  ...OF_STORE,
}

/** Whether a store's servers are named, by the flags or the environment. */
export function namesServers(flags: StoreFlags, env: NodeJS.ProcessEnv = process.env): boolean {
  return flags.endpoints !== undefined || Boolean(env['MUSTER_DELOS_ENDPOINTS']) || Boolean(env['ETCDCTL_ENDPOINTS'])
}

/** The client of the store that the flags, or the environment, name. */
export async function storeOf(flags: StoreFlags, env: NodeJS.ProcessEnv = process.env): Promise<StoreClient> {
  const { connect } = await import('../../client/connect.ts')
  return connect(storeOptions(flags, env))
}

/** The same, for operators' calls. */
export async function operatorOf(flags: StoreFlags, env: NodeJS.ProcessEnv = process.env): Promise<Operator> {
  const { openOperator } = await import('../../client/operator.ts')
  return openOperator(storeOptions(flags, env))
}

/** Where that store is, and as whom to ask. Throws FILE_UNREADABLE for a certificate that is not there. */
export function storeOptions(flags: StoreFlags, env: NodeJS.ProcessEnv = process.env): ChannelOptions {
  const endpoints = (flags.endpoints ?? (env['MUSTER_DELOS_ENDPOINTS'] || env['ETCDCTL_ENDPOINTS'] || 'http://127.0.0.1:2379'))
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '')
  const given = flags.user ?? env['ETCDCTL_USER'] ?? ''
  const tls = {
    ca: pemOf(flags.cacert ?? env['ETCDCTL_CACERT']),
    cert: pemOf(flags.cert ?? env['ETCDCTL_CERT']),
    key: pemOf(flags.key ?? env['ETCDCTL_KEY']),
  }
  if (given === '') return { endpoints, tls }
  const colon = given.indexOf(':')
  const [user, password] = colon < 0 ? [given, env['ETCDCTL_PASSWORD'] ?? ''] : [given.slice(0, colon), given.slice(colon + 1)]
  return { endpoints, user, password, tls }
}

function pemOf(path: string | undefined): string | undefined {
  if (path === undefined || path === '') return undefined
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    throw new MusterError('FILE_UNREADABLE', `${path} cannot be read: ${(error as Error).message}`, { cause: error })
  }
}

export interface PlaceTimes {
  ttlMs: number
  graceMs: number
  waitMs: number
}

export function placeTimes(flags: { ttl: string; wait?: string | undefined; grace?: string | undefined }): PlaceTimes {
  const ttlMs = durationFlag('ttl', flags.ttl, 1000)
  const graceMs = durationFlag('grace', flags.grace) ?? Math.floor(ttlMs / 3)
  if (graceMs >= ttlMs) throw new MusterError('USAGE', '--grace must be shorter than --ttl')
  return { ttlMs, graceMs, waitMs: durationFlag('wait', flags.wait) ?? Number.POSITIVE_INFINITY }
}

/** `--lease 694d7…`, as it stands in keys. */
export function leaseFlag(text: string): bigint {
  if (!/^[0-9a-f]{1,16}$/i.test(text)) throw new MusterError('USAGE', `--lease "${text}" is not a lease in hexadecimal`)
  return BigInt(`0x${text}`)
}
