import { existsSync, readdirSync } from 'node:fs'
import { parseAddress, parseJoinToken, type JoinToken } from '../../../core/contracts/join-token.ts'
import { joinAnswerSchema, serverNameSchema, type JoinAnswer, type JoinRequest } from '../../../core/delos/member/schema.ts'
import { decodeValue, presentServers, type RegisterValue } from '../../../core/delos/virtual-log/value.ts'
import type { ErrorCode } from '../../../core/kernel/error-table.ts'
import { isRefusal, MusterError } from '../../../core/kernel/errors.ts'
import { fingerprintOf, isKeyOf, makeKey, makeRequest } from '../../../platform/certificates.ts'
import type { StatePaths } from '../../../platform/paths.ts'
import { readIdentity, writeIdentity, type Identity } from '../../state/identity.ts'
import { askToJoin } from '../quorum/ask-to-join.ts'
import type { PeerTls } from '../quorum/peers.ts'
import { writeJoined, type Registers } from './joined.ts'
import { keyFiles, tlsOf, type KeyFiles } from './key-files.ts'

export interface JoinWish {
  /** as `muster delos member token` printed it */
  token: string
  name: string
  /** where other servers will reach this one, `HOST:PORT` */
  peersAddress: string
  /** a voter as soon as it has caught up; else a learner */
  isVoter: boolean
  /** prepared and locked; nothing of it is opened yet */
  paths: StatePaths
}

export interface Joined {
  identity: Identity
  clusterId: bigint
  self: bigint
  tls: PeerTls
  registers: Registers
}

/** The first answer may be lost: whoever asks again with the same key is told the same. */
const TRIES = 3
const PAUSE_MS = 500
/** No answer, or one of a cluster that changes its leader or its members at this moment. */
const PASSING = new Set<ErrorCode>([
  'UNAVAILABLE',
  'DELOS_NOT_LEADER',
  'DELOS_NO_QUORUM',
  'DELOS_OUTCOME_UNKNOWN',
  'DELOS_RECONFIGURE_LOST',
  'DELOS_RECONFIGURE_UNFINISHED',
])
/** After which no further try begins: whoever started this server waits. */
const PATIENCE_MS = 15_000

/**
 * The joining server's side, whole: asks a server of the cluster and writes `keys/`, `joined.json` and, last, `identity.json`, which says that the
 * directory is of a server of that cluster. Before that, whatever stops it, the same call joins again, as the same server. Rejects with USAGE,
 * DELOS_STATE_NOT_EMPTY, DELOS_WRONG_CA, UNAVAILABLE or the other server's refusal; then nothing has changed but that a key may be there.
 */
export async function joinFleet({ token: text, name, peersAddress, isVoter, paths }: JoinWish): Promise<Joined> {
  const token = parseJoinToken(text)
  if (isRefusal(token)) throw token
  if (!serverNameSchema.safeParse(name).success)
    throw new MusterError('USAGE', `"${name}" is no name of a server: letters, digits, "_", "-" and ".", at most 63`)
  if (parseAddress(peersAddress) === null) throw new MusterError('USAGE', `"${peersAddress}" is not HOST:PORT`)
  const files = keyFiles(paths.keys)
  assertEmpty(paths, files, token)
  const key = files.readJoining() ?? makeKey()
  // Before anything is asked: an answer that is lost is asked for again with this key, also by the next process.
  files.writeJoining(key)
  const request: JoinRequest = { secret: token.secret, csr: await makeRequest(key, name), name, address: peersAddress, isVoter }
  const answer = await ask(token, request)
  const registers = checked(answer, token, key)
  const { certificate, ca, caKey, cluster, server } = answer
  const identity = { cluster, server, name }
  files.writeAuthority({ certificate: ca, key: caKey })
  files.writeServer({ certificate, key }, ca)
  writeJoined(paths.root, registers)
  await writeIdentity(paths, identity)
  files.dropJoining()
  return { identity, clusterId: BigInt(`0x${cluster}`), self: BigInt(`0x${server}`), tls: tlsOf({ certificate, key }, ca), registers }
}

function assertEmpty(paths: StatePaths, files: KeyFiles, { cluster }: JoinToken): void {
  const { log, stateDb, kvDb, context, identityJson } = paths
  const known = readIdentity(paths)
  if (known?.cluster === cluster)
    throw new MusterError('DELOS_STATE_NOT_EMPTY', `context "${context}" has joined that cluster already, as ${known.name}`, {
      hint: 'Start it without --join.',
    })
  const hasLog = existsSync(log) && readdirSync(log).length > 0
  // An authority without a join that was begun is one that this server made for a cluster of its own.
  const hasAuthority = files.readJoining() === null && files.readAuthority() !== null
  const [found] = [
    ...(known === null ? [] : [identityJson]),
    ...(hasLog ? [log] : []),
    ...[stateDb, kvDb].filter(existsSync),
    ...(hasAuthority ? ['the authority of a cluster of its own'] : []),
  ]
  if (found !== undefined)
    throw new MusterError('DELOS_STATE_NOT_EMPTY', `context "${context}" has a state of its own, which joining would overwrite: ${found}`, {
      hint: `Join with another --context, or remove this one with \`muster down --purge --context ${context}\`.`,
    })
}

async function ask(token: JoinToken, request: JoinRequest): Promise<JoinAnswer> {
  const address = parseAddress(token.address) as { host: string; port: number }
  const untilMs = performance.now() + PATIENCE_MS
  for (let tried = 1; ; tried += 1) {
    try {
      const parsed = joinAnswerSchema.safeParse(await askToJoin(address, token.fingerprint, request))
      if (parsed.success) return parsed.data
      throw new MusterError('STATE_NEWER', `the server at ${token.address} lets this one in, in a form that this version does not know`, {
        hint: 'Use the version of muster that the cluster has, with the same token.',
      })
    } catch (error) {
      if (!isRefusal(error) || !PASSING.has(error.code) || tried === TRIES || performance.now() > untilMs) throw error
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS))
    }
  }
}

/** Whoever answered holds the authority's key, so this finds mistakes and versions apart rather than lies. Gives the registers. */
function checked({ cluster, server, certificate, ca, caKey, registers }: JoinAnswer, token: JoinToken, key: string): Registers {
  const wrong = (what: string): MusterError => new MusterError('DELOS_WRONG_CLUSTER', `the server at ${token.address} ${what}`)
  if (cluster !== token.cluster) throw wrong(`is of cluster ${cluster}, and the token is for ${token.cluster}`)
  if (fingerprintOf(ca) !== token.fingerprint || !isKeyOf(caKey, ca)) throw wrong('gave another authority than the token names')
  if (!isKeyOf(key, certificate)) throw wrong('gave a certificate of another key')
  return { control: valueOf('control', registers.control), kv: valueOf('kv', registers.kv) }

  function valueOf(log: string, json: unknown): RegisterValue {
    const value = decodeValue(new TextEncoder().encode(JSON.stringify(json)))
    if (value === null)
      throw new MusterError('STATE_NEWER', `the log ${log} of the cluster is of a form that this version does not know`, {
        hint: 'Use the version of muster that the cluster has, with the same token.',
      })
    if (value.clusterId !== cluster) throw wrong(`has a log ${log} of cluster ${value.clusterId}`)
    if (!presentServers(value).some(({ id }) => id === server)) throw wrong(`did not make this one a member of its log ${log}`)
    return value
  }
}
