import { createHash } from 'node:crypto'
import { regionSchema } from '../../../core/delos/member/schema.ts'
import { FEATURES, type Feature } from '../../../core/delos/virtual-log/features.ts'
import { MusterError } from '../../../core/kernel/errors.ts'
import { parseDuration } from '../../../core/kernel/units.ts'

/** One server of a cluster, as `--initial-cluster` names it. */
export interface ClusterMember {
  id: bigint
  name: string
  peerUrls: string[]
}

export interface ServeOptions {
  name: string
  dataDir: string
  listenClientUrls: URL[]
  advertiseClientUrls: string[]
  listenPeerUrls: URL[]
  self: ClusterMember
  members: ClusterMember[]
  /** false: the cluster exists, so a server with an empty directory had one before */
  mayBeNew: boolean
  clusterId: bigint
  /** of `--initial-cluster-token`: ids follow from it */
  clusterToken: string
  /** the cluster runs already, and this server comes to it */
  isJoining: boolean
  clientTls: { certFile: string; keyFile: string; caFile: string | null; needsCertificate: boolean } | null
  peerTls: { certFile: string; keyFile: string; caFile: string } | null
  quotaBytes: number
  /** null: never by itself */
  autoCompaction: { mode: 'periodic'; everyMs: number } | { mode: 'revision'; keep: number } | null
  txnOpsMax: number
  requestBytesMax: number
  authToken: string
  /** `lan` or `wan`: how soon silence of the leader is believed to be its end */
  profile: 'lan' | 'wan'
  /** where this server is; null: nobody said */
  region?: string | null
  /** semantic features that this program knows */
  features: readonly Feature[]
}

/** What the command line gives, by etcd's names; each is there. */
export interface ServeFlags {
  name: string
  'data-dir': string | undefined
  'listen-client-urls': string
  'advertise-client-urls': string | undefined
  'listen-peer-urls': string
  'initial-advertise-peer-urls': string | undefined
  'initial-cluster': string | undefined
  'initial-cluster-token': string
  'initial-cluster-state': string
  'cert-file': string | undefined
  'key-file': string | undefined
  'trusted-ca-file': string | undefined
  'client-cert-auth': boolean
  'peer-cert-file': string | undefined
  'peer-key-file': string | undefined
  'peer-trusted-ca-file': string | undefined
  'quota-backend-bytes': number
  'auto-compaction-mode': string
  'auto-compaction-retention': string
  'max-txn-ops': number
  'max-request-bytes': number
  'auth-token': string
  profile: string
  region?: string | undefined
}

/** etcd's own default when `--quota-backend-bytes` is 0: 2 GiB. */
const QUOTA_DEFAULT = 2 * 1024 ** 3

const usage = (what: string, hint?: string): MusterError => new MusterError('USAGE', what, hint === undefined ? {} : { hint })

/** Checks the flags together. Throws USAGE naming the flag that is wrong; opens nothing. */
export function serveOptions(flags: ServeFlags): ServeOptions {
  const listenClientUrls = urlsOf('listen-client-urls', flags['listen-client-urls'])
  const listenPeerUrls = urlsOf('listen-peer-urls', flags['listen-peer-urls'])
  const advertisedPeers = flags['initial-advertise-peer-urls'] ?? flags['listen-peer-urls']
  urlsOf('initial-advertise-peer-urls', advertisedPeers)
  const token = flags['initial-cluster-token']
  const members = membersOf(flags['initial-cluster'] ?? `${flags.name}=${advertisedPeers}`, token)
  const self = members.find(({ name }) => name === flags.name)
  if (self === undefined) throw usage(`--initial-cluster does not name ${flags.name}`, 'Its names have to hold that of --name.')
  const isJoining = flags['initial-cluster-state'] === 'existing'
  // Who joins is told who the others are.
  if (!isJoining && ![1, 3, 5, 7].includes(members.length))
    throw usage(
      `a cluster of ${members.length} servers`,
      'Give 1, 3, 5 or 7: an even number survives no more failures than the odd one below it.',
    )
  const clientTls = tlsOf(flags, '', flags['client-cert-auth'])
  const peerTls = tlsOf(flags, 'peer-', true)
  if (listenClientUrls.some(({ protocol }) => protocol === 'https:') && clientTls === null)
    throw usage('--listen-client-urls is https, and there is no --cert-file and --key-file')
  if (peerTls !== null && peerTls.caFile === null) throw usage('--peer-cert-file needs --peer-trusted-ca-file')
  return {
    name: flags.name,
    dataDir: flags['data-dir'] ?? `${flags.name}.etcd`,
    listenClientUrls,
    advertiseClientUrls: (flags['advertise-client-urls'] ?? flags['listen-client-urls']).split(','),
    listenPeerUrls,
    self,
    members,
    mayBeNew: flags['initial-cluster-state'] !== 'existing',
    clusterId: clusterIdOf(members),
    clusterToken: token,
    isJoining,
    clientTls,
    peerTls: peerTls === null ? null : { certFile: peerTls.certFile, keyFile: peerTls.keyFile, caFile: peerTls.caFile as string },
    quotaBytes: flags['quota-backend-bytes'] || QUOTA_DEFAULT,
    autoCompaction: autoCompactionOf(flags['auto-compaction-mode'], flags['auto-compaction-retention']),
    txnOpsMax: flags['max-txn-ops'],
    requestBytesMax: flags['max-request-bytes'],
    authToken: flags['auth-token'],
    profile: flags.profile === 'wan' ? 'wan' : 'lan',
    region: regionOf(flags.region),
    features: FEATURES,
  }
}

function regionOf(text: string | undefined): string | null {
  if (text === undefined) return null
  const parsed = regionSchema.safeParse(text)
  if (!parsed.success) throw usage(`--region ${JSON.stringify(text)}: ${parsed.error.issues[0]?.message ?? 'not understood'}`)
  return parsed.data
}

function urlsOf(flag: string, text: string): URL[] {
  return text.split(',').map((part) => {
    const url = URL.canParse(part) ? new URL(part) : null
    if (url === null || (url.protocol !== 'http:' && url.protocol !== 'https:') || url.port === '')
      throw usage(`--${flag}: ${JSON.stringify(part)} is no URL of the form http://HOST:PORT`)
    return url
  })
}

/** The servers that `--initial-cluster` names, by id. Throws USAGE. */
export function membersOf(text: string, token: string): ClusterMember[] {
  const urls = new Map<string, string[]>()
  for (const part of text.split(',')) {
    const cut = part.indexOf('=')
    if (cut <= 0) throw usage(`--initial-cluster: ${JSON.stringify(part)} is not of the form NAME=http://HOST:PORT`)
    const url = part.slice(cut + 1)
    urlsOf('initial-cluster', url)
    urls.set(part.slice(0, cut), [...(urls.get(part.slice(0, cut)) ?? []), url])
  }
  const members = [...urls].map(([name, peerUrls]) => ({ name, peerUrls, id: memberIdOf(peerUrls, token) }))
  const taken = members.find((member, i) => members.findIndex(({ id }) => id === member.id) < i)
  if (taken !== undefined) throw usage(`--initial-cluster: ${taken.name} has the URLs of another server`)
  return members.toSorted((a, b) => (a.id < b.id ? -1 : 1))
}

const first64 = (text: string | Buffer): bigint => createHash('sha1').update(text).digest().readBigUInt64BE(0)

/** The id that etcd would give a member: SHA-1 over its sorted peer URLs and the cluster's token (etcd `membership.NewMember`). */
export function memberIdOf(peerUrls: readonly string[], token: string): bigint {
  return first64(peerUrls.toSorted().join('') + token)
}

/** The id that etcd would give a cluster: SHA-1 over the members' ids in order (etcd `RaftCluster.genID`). */
export function clusterIdOf(members: readonly ClusterMember[]): bigint {
  const bytes = Buffer.alloc(members.length * 8)
  for (const [i, { id }] of members.entries()) bytes.writeBigUInt64BE(id, i * 8)
  return first64(bytes)
}

function tlsOf(
  flags: ServeFlags,
  prefix: '' | 'peer-',
  needsCertificate: boolean,
): { certFile: string; keyFile: string; caFile: string | null; needsCertificate: boolean } | null {
  const certFile = flags[`${prefix}cert-file`]
  const keyFile = flags[`${prefix}key-file`]
  const caFile = flags[`${prefix}trusted-ca-file`] ?? null
  if (certFile === undefined && keyFile === undefined) return null
  if (certFile === undefined || keyFile === undefined) throw usage(`--${prefix}cert-file and --${prefix}key-file go together`)
  if (prefix === '' && needsCertificate && caFile === null) throw usage('--client-cert-auth needs --trusted-ca-file')
  return { certFile, keyFile, caFile, needsCertificate: needsCertificate && caFile !== null }
}

function autoCompactionOf(mode: string, retention: string): ServeOptions['autoCompaction'] {
  if (retention === '' || retention === '0') return null
  if (mode === 'revision') {
    if (!/^\d+$/.test(retention)) throw usage(`--auto-compaction-retention ${retention} is no number of revisions`)
    return { mode, keep: Number(retention) }
  }
  if (mode !== 'periodic') throw usage(`--auto-compaction-mode ${mode}: periodic and revision are known`)
  // As in etcd, a bare number is hours.
  const everyMs = /^\d+$/.test(retention) ? Number(retention) * 3_600_000 : parseDuration(retention)
  if (everyMs === null) throw usage(`--auto-compaction-retention ${retention} is no duration`)
  return { mode, everyMs }
}
