import { randomInt } from 'node:crypto'
import { existsSync } from 'node:fs'
import { rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import type { LogletEntry } from '../../core/contracts/loglet.ts'
import { planRepair, type Gap, type RepairPlan } from '../../core/delos/log/repair.ts'
import { isFit, skipsOf } from '../../core/delos/virtual-log/chain.ts'
import { fileConfigSchema } from '../../core/delos/virtual-log/quorum-config.ts'
import { EMPTY_REGISTER } from '../../core/delos/virtual-log/register-contract.ts'
import { lastSegment, presentServers, type RegisterValue, type Segment, type Server } from '../../core/delos/virtual-log/value.ts'
import { MusterError } from '../../core/kernel/errors.ts'
import { syncDirectory } from '../../platform/files.ts'
import { keepState, keptDirOf, keptStates } from '../state/kept-states.ts'
import { takeLock } from '../state/state-dir.ts'
import { stateStandOf } from '../state/state-stand.ts'
import { openArchive, readArchive, type Archive } from './archive/archive-reader.ts'
import { openFileLoglet } from './file-loglet.ts'
import { recoverLog } from './recover-log.ts'
import { standOf } from './store/rows-file.ts'
import { openRegisterDisk } from './virtual-log/register-disk.ts'

export interface RepairRequest {
  /** state directory of a context, or data directory of a `delos serve` */
  dir: string
  log: 'control' | 'kv'
  /** folder of an archive, or null */
  archive: string | null
  isPlan: boolean
  /** the acknowledged entries that the plan says are lost may be */
  mayLose: boolean
}

export interface LogRepair extends RepairPlan {
  log: 'control' | 'kv'
  dir: string
  /** of the server, for people */
  name: string
  /** the last position in the state that is made of the log; 0: there is none */
  stateEnd: number
  /** where what was damaged is kept; null: nothing was changed */
  damaged: string[] | null
}

/** Written at once, at most. */
const CHUNK_BYTES = 4 * 1024 * 1024
const READ_MAX = 1024

/**
 * Makes the log of a stopped server that is alone readable again, when part of it can no longer be read: with an archive's copy of that part,
 * or else beginning after it, where the state holds what was before. What was damaged is kept beside it. Rejects with SERVER_RUNNING,
 * DELOS_REFUSED where others have the log, or what stood before it is nowhere, DELOS_ARCHIVE_INVALID, or CONFIRM_REQUIRED when acknowledged entries would be lost; nothing is changed then.
 */
export async function repairLog(request: RepairRequest): Promise<LogRepair> {
  const { dir } = request
  if (!existsSync(join(dir, 'log', request.log))) throw new MusterError('NOT_FOUND', `there is no log ${request.log} in ${dir}`)
  const lock = takeLock(join(dir, 'lock.db'))
  if (lock === null) throw new MusterError('SERVER_RUNNING', `a server uses ${dir}`, { hint: 'End it first: `muster down`.' })
  try {
    return await repairLocked(request)
  } finally {
    lock.release()
  }
}

async function repairLocked({ dir, log, archive: from, isPlan, mayLose }: RepairRequest): Promise<LogRepair> {
  const logDir = join(dir, 'log', log)
  const register = await openRegisterDisk(logDir)
  try {
    const { held } = register.found
    if (held === null) throw new MusterError('NOT_FOUND', `${logDir} was never written to`)
    const self = loneServer(held, dir)
    const found = await damageOf(logDir, held)
    const archive = from === null || found.gaps.length === 0 ? null : await openArchive(from, BigInt(`0x${held.clusterId}`).toString(16))
    const stateEnd = stateEndOf(dir, log, held)
    if (found.gaps.length > 0 && found.head > stateEnd + 1)
      throw new MusterError(
        'DELOS_REFUSED',
        `the log in ${logDir} begins at position ${found.head}, and no state in ${dir} goes as far as ${found.head - 1}: nothing can be made of it, repaired or not`,
        { hint: 'Bring back an older copy: `muster delos snapshot restore --help`.' },
      )
    const plan = planRepair({ ...found, archived: archive?.spans ?? [], stateEnd })
    const repair: LogRepair = { ...plan, log, dir: logDir, name: self.name || self.id, stateEnd, damaged: null }
    if (isPlan || plan.how === 'nothing') return repair
    if (plan.lost !== null && !mayLose)
      throw new MusterError('CONFIRM_REQUIRED', `positions ${plan.lost.from} to ${plan.lost.to}, which were acknowledged, would be lost`)
    const loglet = freshLoglet(held)
    const target = join(logDir, nameOf(loglet))
    await write(target, plan, batchesOf(logDir, held, plan, archive))
    if (plan.begins > 1) await makeDurable(dir, log)
    await register.write({ ...EMPTY_REGISTER, held: repaired(held, self, loglet, plan) })
    return { ...repair, damaged: await setAside(logDir, held) }
  } finally {
    await register.close()
  }
}

function loneServer(held: RegisterValue, dir: string): Server {
  const [self, ...others] = presentServers(held)
  const isOfFiles = held.chain.every(({ kind, config }) => kind === 'file' && fileConfigSchema.parse(config).server === self?.server)
  if (self === undefined || others.length > 0 || !isOfFiles)
    throw new MusterError('DELOS_REFUSED', `the log in ${dir} is not of a server alone`, {
      hint: 'A server of several gets what it lost from the others when it starts. When most are lost for good: `muster delos recover`.',
    })
  return self
}

/** What cannot be read, and where the log begins and ends. */
async function damageOf(logDir: string, { chain }: RegisterValue): Promise<{ head: number; tail: number; gaps: Gap[] }> {
  const found = { head: 0, tail: chain[0]?.firstPosition ?? 1, gaps: [] as Gap[] }
  for (const segment of chain) {
    const { segments, end, gaps } = await recoverLog(join(logDir, nameOf(segment.loglet)), { isSalvage: true, isReadOnly: true })
    const first = segments[0]?.first ?? segment.firstPosition
    if (found.head === 0) found.head = first
    found.gaps.push(...gaps)
    found.tail = segments.length === 0 ? Math.max(found.tail, segment.firstPosition) : end.position
    if (segment.end === null || found.tail >= segment.end) continue
    found.gaps.push({ from: found.tail, to: segment.end - 1, file: join(logDir, nameOf(segment.loglet)), offset: 0 })
    found.tail = segment.end
  }
  return found
}

/** The last position whose effects are on this disk, in what is made of the log; 0: none, or it is not to be used. */
function stateEndOf(dir: string, log: 'control' | 'kv', held: RegisterValue): number {
  const skips = skipsOf(held)
  const endIn = (file: string, stand: (db: Database.Database) => { position: number; skipped: readonly number[] }): number => {
    if (!existsSync(file)) return 0
    let db: Database.Database | null = null
    try {
      db = new Database(file, { readonly: true })
      if (db.pragma('integrity_check(1)', { simple: true }) !== 'ok') return 0
      const found = stand(db)
      return isFit(skips, found) ? found.position : 0
    } catch {
      return 0 // What is damaged is made anew, or is not there.
    } finally {
      db?.close()
    }
  }
  if (log === 'kv') return existsSync(join(dir, 'kv.db.unfit')) ? 0 : endIn(join(dir, 'kv.db'), standOf)
  const stateDb = join(dir, 'state.db')
  return Math.max(endIn(stateDb, stateStandOf), ...keptStates(keptDirOf(stateDb)).map(({ file }) => endIn(file, stateStandOf)))
}

/** From now on it is the only one that has what the log no longer has. */
async function makeDurable(dir: string, log: 'control' | 'kv'): Promise<void> {
  const file = join(dir, log === 'kv' ? 'kv.db' : 'state.db')
  if (!existsSync(file)) return
  if (log === 'control') return void (await keepState(file))
  const db = new Database(file)
  try {
    db.pragma('synchronous = FULL')
    db.pragma('wal_checkpoint(TRUNCATE)')
  } finally {
    db.close()
  }
}

async function* batchesOf(
  logDir: string,
  { chain }: RegisterValue,
  plan: RepairPlan,
  archive: Archive | null,
): AsyncGenerator<LogletEntry> {
  let next = plan.begins
  const fromArchive = async function* (to: number): AsyncGenerator<LogletEntry> {
    if (archive === null || next > to) return
    for await (const entry of readArchive(archive, next, to)) {
      yield entry
      next = entry.position + 1
    }
  }
  for (const segment of chain) {
    const dir = join(logDir, nameOf(segment.loglet))
    const file = await openFileLoglet(dir, { isSalvage: true })
    try {
      const end = Math.min(plan.ends + 1, segment.end ?? Number.POSITIVE_INFINITY, Math.max(file.checkTail(), segment.firstPosition))
      while (next < end) {
        const gap = file.gaps.find(({ from, to }) => from <= next && next <= to)
        if (gap !== undefined) {
          yield* fromArchive(Math.min(gap.to, plan.ends))
          continue
        }
        const until = Math.min(end, ...file.gaps.filter(({ from, to }) => from > next && to >= from).map(({ from }) => from))
        for (const entry of file.readNext(next, Math.min(READ_MAX, until - next))) {
          yield { position: entry.position, payload: entry.payload.slice() }
          next = entry.position + 1
        }
      }
    } finally {
      await file.close()
    }
    if (segment.end !== null) yield* fromArchive(Math.min(segment.end - 1, plan.ends))
  }
}

async function write(dir: string, { begins, ends }: RepairPlan, batches: AsyncGenerator<LogletEntry>): Promise<void> {
  await rm(dir, { recursive: true, force: true })
  const file = await openFileLoglet(dir)
  try {
    file.beginAt(begins)
    await file.prepare(true)
    let chunk: Uint8Array[] = []
    let bytes = 0
    const flush = async (): Promise<void> => {
      if (chunk.length > 0) await file.append(chunk)
      chunk = []
      bytes = 0
    }
    for await (const { payload } of batches) {
      if (bytes + payload.length > CHUNK_BYTES) await flush()
      chunk.push(payload)
      bytes += payload.length
    }
    await flush()
    if (file.checkTail() !== ends + 1)
      throw new MusterError(
        'DELOS_LOG_CORRUPT',
        `only positions up to ${file.checkTail() - 1} could be read, not up to ${ends}: nothing was changed`,
      )
  } catch (error) {
    await file.close()
    await rm(dir, { recursive: true, force: true })
    throw error
  }
  await file.close()
}

function repaired(held: RegisterValue, { server }: Server, loglet: number, { begins, ends }: RepairPlan): RegisterValue {
  const segment: Segment = {
    ...{ loglet, kind: 'file', config: { server }, firstPosition: begins, lastRound: lastSegment(held).lastRound + 1, end: null },
  }
  return {
    ...held,
    version: held.version + 1,
    chain: [segment],
    // What stands behind the end is lost, and its positions are used again.
    skips: held.skips.filter(({ position }) => position <= ends),
  }
}

/** A start would remove them. */
async function setAside(logDir: string, { chain }: RegisterValue): Promise<string[]> {
  const kept: string[] = []
  for (const { loglet } of chain) {
    const from = join(logDir, nameOf(loglet))
    if (!existsSync(from)) continue
    const to = `${from}.damaged`
    await rename(from, to)
    kept.push(to)
  }
  await syncDirectory(logDir)
  return kept
}

function freshLoglet({ chain }: RegisterValue): number {
  for (;;) {
    const loglet = randomInt(2 ** 31, 2 ** 32)
    if (!chain.some((segment) => segment.loglet === loglet)) return loglet
  }
}

const nameOf = (loglet: number): string => loglet.toString(16).padStart(8, '0')
