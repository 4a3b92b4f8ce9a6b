import { randomBytes, randomInt } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { decodeAcceptorFile } from '../../../core/delos/paxos/acceptor-file.ts'
import { roundOf } from '../../../core/delos/paxos/ballot.ts'
import { isFit, skipsOf } from '../../../core/delos/virtual-log/chain.ts'
import { fileConfigSchema } from '../../../core/delos/virtual-log/quorum-config.ts'
import { EMPTY_REGISTER } from '../../../core/delos/virtual-log/register-contract.ts'
import { lastSegment, presentServers, type RegisterValue, type Segment, type Server } from '../../../core/delos/virtual-log/value.ts'
import { MusterError } from '../../../core/kernel/errors.ts'
import { createLogger } from '../../../platform/logger.ts'
import { syncDirectory } from '../../../platform/files.ts'
import { takeLock } from '../../state/state-dir.ts'
import { openFileLoglet } from '../file-loglet.ts'
import { openJournal } from '../quorum/journal.ts'
import { readRowsFile } from '../store/materialiser.ts'
import { removeUnfitRows } from '../store/unfit-rows.ts'
import { openRegisterDisk } from '../virtual-log/register-disk.ts'
import { readIdentity, writeIdentity } from './data-dir.ts'

/** What becomes of a server that goes on alone. */
export interface Recovery {
  dataDir: string
  name: string
  server: string
  oldCluster: string
  /** null: nothing was changed */
  newCluster: string | null
  /** names of the servers that never come back under their ids */
  removed: string[]
  /** up to where this server knows that a majority had it, and up to where it has something itself, which is all kept */
  committed: number
  kept: number
  /** when the last change that it has was proposed, ms since the epoch; null: it has none */
  lastAt: number | null
  /** why what may stand after `kept` in its own log is not taken; null: it is all */
  cut: string | null
}

interface Found {
  batches: { position: number; payload: Uint8Array }[]
  committed: number
  cut: string | null
}

/** At most so many bytes are written at once. */
const CHUNK_BYTES = 4 * 1024 * 1024

/**
 * Makes a stopped server's data directory that of a lone server of a new cluster, with all that it has: its rows, and whatever it accepted
 * after them, whether or not a majority had it too. Idempotent until the new server starts. Rejects with SERVER_RUNNING, DELOS_WRONG_CLUSTER
 * when there is no server's data, or DELOS_LOG_CORRUPT when there is nothing whole to begin with.
 */
export async function recover(dataDir: string, isPlan: boolean): Promise<Recovery> {
  const identity = readIdentity(dataDir)
  if (identity === null)
    throw new MusterError('DELOS_WRONG_CLUSTER', `${dataDir} is no data directory of a server`, {
      hint: 'Give the --data-dir of `muster delos serve`.',
    })
  const lock = takeLock(join(dataDir, 'lock.db'))
  if (lock === null)
    throw new MusterError('SERVER_RUNNING', `a server uses ${dataDir}`, {
      hint: 'End it first: without a majority it answers no change, and what it holds must not move meanwhile.',
    })
  try {
    return await recoverLocked(dataDir, identity, isPlan)
  } finally {
    lock.release()
  }
}

async function recoverLocked(dataDir: string, identity: { cluster: string; server: string }, isPlan: boolean): Promise<Recovery> {
  const dir = join(dataDir, 'log', 'kv')
  const register = await openRegisterDisk(dir)
  try {
    const { held } = register.found
    const self = held?.servers.find(({ id }) => BigInt(`0x${id}`) === BigInt(`0x${identity.server}`))
    if (held === null || self === undefined)
      throw new MusterError('DELOS_LOG_CORRUPT', `${dir} does not say what its log is made of: this server never was part of its cluster`)
    const logger = createLogger(join(dataDir, 'server.log'))
    if (!isPlan) removeUnfitRows(join(dataDir, 'kv.db'), logger)
    const rows = existsSync(join(dataDir, 'kv.db.unfit')) ? null : readRowsFile(join(dataDir, 'kv.db'), logger)
    const kept = rows !== null && isFit(skipsOf(held), rows.cursor) ? rows : null
    const from = (kept?.cursor.position ?? 0) + 1
    const found = await collect(dir, held, self.server, from)
    const last = found.batches.at(-1)
    const recovery: Recovery = {
      dataDir,
      name: self.name === '' ? self.id : self.name,
      server: self.id,
      oldCluster: held.clusterId,
      newCluster: null,
      removed: presentServers(held).flatMap(({ server, id, name }) => (server === self.server ? [] : [name === '' ? id : name])),
      // What is in the rows was decided.
      committed: Math.max(found.committed, from - 1),
      kept: last?.position ?? from - 1,
      lastAt: last === undefined ? kept?.cursor.timeMs || null : timeOf(last.payload),
      cut: found.cut,
    }
    if (isPlan) return recovery
    const loglet = freshLoglet(held)
    await writeBatches(join(dir, nameOf(loglet)), from, found.batches)
    const clusterId = randomBytes(8).toString('hex')
    // A snapshot that was on its way came from a server of the old cluster.
    for (const name of ['kv.db.part', 'kv.db.part.json']) await rm(join(dataDir, name), { force: true })
    await writeIdentity(dataDir, { clusterId: BigInt(`0x${clusterId}`), serverId: BigInt(`0x${self.id}`), isAlone: true })
    await syncDirectory(dataDir)
    await register.write({ ...EMPTY_REGISTER, held: loneValue(held, self, { clusterId, loglet, from, round: roundIn(dir, held) }) })
    logger.warn('goes on alone, as a new cluster', { ...recovery, newCluster: clusterId })
    return { ...recovery, newCluster: clusterId }
  } finally {
    await register.close()
  }
}

/** What this server has of the log from `from` on, as far as nothing is missing between. */
async function collect(dir: string, value: RegisterValue, self: number, from: number): Promise<Found> {
  const found: Found = { batches: [], committed: 0, cut: null }
  let next = from
  for (const segment of value.chain) {
    if (segment.end !== null && segment.end <= next) continue
    const name = nameOf(segment.loglet)
    if (segment.firstPosition > next) return nothingBefore(found, next, segment.firstPosition)
    if (segment.kind === 'etcd') return { ...found, cut: `the log goes on at ${next} in an etcd, which is not read here: loglet ${name}` }
    const here = segment.kind === 'file' ? await readFileLoglet(join(dir, name), segment, self) : await readQuorum(join(dir, name), segment)
    if (here === null) return { ...found, cut: `loglet ${name}, which holds what begins at ${next}, is not on this server` }
    if (here.first > next) return nothingBefore(found, next, here.first)
    const end = segment.end ?? Number.POSITIVE_INFINITY
    for (const each of here.batches) {
      if (each.position !== next || next >= end) continue
      found.batches.push(each)
      next += 1
    }
    found.committed = Math.min(Math.max(found.committed, here.committed), next - 1)
    if (here.cut !== null) return { ...found, cut: here.cut }
    if (segment.end !== null && next < segment.end)
      return { ...found, cut: `loglet ${name} ends at ${segment.end - 1}, and this server has it up to ${next - 1}` }
  }
  return found
}

function nothingBefore(found: Found, next: number, first: number): Found {
  if (found.batches.length === 0 && next === 1)
    throw new MusterError(
      'DELOS_LOG_CORRUPT',
      `there are no rows, and the log on this server begins at ${first}: it has no whole store to go on with`,
      {
        hint: 'Recover from another server, or restore a snapshot: `muster delos snapshot restore`.',
      },
    )
  return { ...found, cut: `positions ${next} to ${first - 1} are not on this server` }
}

type Part = Found & { first: number }

async function readFileLoglet(dir: string, { config, firstPosition }: Segment, self: number): Promise<Part | null> {
  if (fileConfigSchema.parse(config).server !== self || !existsSync(dir)) return null
  const file = await openFileLoglet(dir)
  try {
    file.beginAt(firstPosition)
    const batches: Part['batches'] = []
    for (let at = file.head(); at < file.checkTail();) {
      const entries = file.readNext(at, 4096)
      for (const { position, payload } of entries) batches.push({ position, payload: payload.slice() })
      at += entries.length
    }
    return { batches, committed: file.checkTail() - 1, first: file.head(), cut: null }
  } finally {
    await file.close()
  }
}

/** Everything that was accepted counts: a majority may have had it, and nobody else is left to say that it had not. */
async function readQuorum(dir: string, { firstPosition }: Segment): Promise<Part | null> {
  const isAsking = existsSync(join(dir, 'asking'))
  if (isAsking || !existsSync(join(dir, 'journal'))) return null
  const file = await openFileLoglet(join(dir, 'journal'), { isSalvage: true })
  try {
    const { journal, durable } = openJournal(file, dir, firstPosition)
    const base = journal.base()
    const batches: Part['batches'] = []
    let position = base.position
    const rest = new Map(durable.accepted.map((accepted) => [accepted.slot, accepted]))
    const lastSlot = Math.max(durable.committed, ...rest.keys())
    for (let slot = base.slot + 1; slot <= lastSlot; slot += 1) {
      const accepted = slot <= durable.committed ? journal.read(slot) : (rest.get(slot) ?? null)
      if (accepted === null)
        return {
          batches,
          committed: durable.base.position - 1,
          first: base.position,
          cut: `slot ${slot}, at position ${position}, is damaged`,
        }
      const { kind, count, payload } = accepted.batch
      if (kind === 'end') break
      if (kind === 'batch') batches.push({ position, payload: payload.slice() })
      position += count
    }
    return { batches, committed: durable.base.position - 1, first: base.position, cut: null }
  } finally {
    await file.close()
  }
}

async function writeBatches(dir: string, from: number, batches: Found['batches']): Promise<void> {
  await rm(dir, { recursive: true, force: true })
  const file = await openFileLoglet(dir)
  try {
    file.beginAt(from)
    await file.prepare(true)
    for (let i = 0; i < batches.length;) {
      const chunk: Uint8Array[] = []
      for (let bytes = 0; i < batches.length && bytes < CHUNK_BYTES; i += 1) {
        const { payload } = batches[i] as Found['batches'][number]
        chunk.push(payload)
        bytes += payload.length
      }
      await file.append(chunk)
    }
  } finally {
    await file.close()
  }
}

/** The register of the new cluster: this server alone, on its file; the numbers and ids of the others are never used again. */
function loneValue(
  held: RegisterValue,
  self: Server,
  { clusterId, loglet, from, round }: { clusterId: string; loglet: number; from: number; round: number },
): RegisterValue {
  const config = { server: self.server }
  return {
    ...held,
    version: held.version + 1,
    clusterId,
    chain: [{ loglet, kind: 'file', config, firstPosition: from, lastRound: round, end: null }],
    servers: held.servers.map((server) => ({ ...server, role: server.server === self.server ? 'voter' : 'removed' })),
    decider: { kind: 'file', server: self.server },
  }
}

/** The highest round that this server knows of, so that `raft_term` does not fall. */
function roundIn(dir: string, held: RegisterValue): number {
  const { loglet, lastRound } = lastSegment(held)
  const file = join(dir, nameOf(loglet), 'acceptor')
  const found = existsSync(file) ? decodeAcceptorFile(readFileSync(file)) : null
  return found?.kind === 'slot' ? Math.max(lastRound, roundOf(found.slot.state.promised)) : lastRound
}

function freshLoglet({ chain }: RegisterValue): number {
  for (;;) {
    const loglet = randomInt(2 ** 31, 2 ** 32)
    if (!chain.some((segment) => segment.loglet === loglet)) return loglet
  }
}

const nameOf = (loglet: number): string => loglet.toString(16).padStart(8, '0')

/** Of a batch of the store's log. */
const timeOf = (batch: Uint8Array): number => new DataView(batch.buffer, batch.byteOffset, batch.byteLength).getFloat64(4)
