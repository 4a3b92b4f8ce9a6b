import { mkdir, readdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { FIRST_LOGLET } from '../../../core/delos/virtual-log/genesis.ts'
import { FEATURES, type Feature } from '../../../core/delos/virtual-log/features.ts'
import type { EtcdAnswer, EtcdRequest } from '../../../core/delos/virtual-log/register-contract.ts'
import type { RegisterValue } from '../../../core/delos/virtual-log/value.ts'
import { MusterError } from '../../../core/kernel/errors.ts'
import { syncDirectory } from '../../../platform/files.ts'
import type { Logger } from '../../../platform/logger.ts'
import type { Peers } from '../quorum/peers.ts'
import { dropPrepared } from '../segment-files.ts'
import { Loglets } from './loglets.ts'
import { openRegisterDisk } from './register-disk.ts'
import { RegisterRunner } from './register-runner.ts'
import { featureProblem, VirtualLogRuntime, type VirtualLog } from './virtual-log.ts'

export interface VirtualLogOptions {
  /** of the log: its register and a directory for each loglet are in it */
  dir: string
  clusterId: bigint
  /** id of this server, which the register has to know */
  self: bigint
  /** what the register begins with, when it was never written: of a new cluster, or as another server gave it to one that joins */
  initial: RegisterValue
  /** position from which on batches are wanted: after the last one whose effects are kept elsewhere */
  from: number
  /** what is before that can be read, too, as far as this server has it: its loglets are opened at once */
  isWhole: boolean
  /** to the other servers; stays the caller's to close, after the log */
  peers: Peers
  profile: 'lan' | 'wan'
  segmentBytes: number
  /** false: the cluster exists, so a server with an empty directory had one before */
  mayBeNew: boolean
  /** told the time of each durable write of a loglet on this server's disk */
  onSync: (ms: number) => void
  /** those that this program knows; without it all that it does */
  features?: readonly Feature[]
  log: Logger
  onFatal: (error: MusterError) => void
}

/**
 * Opens a log over all its loglets. Rejects with DELOS_LOG_CORRUPT, STATE_NEWER, or DELOS_WRONG_CLUSTER when the register is of another
 * cluster or does not know this server.
 */
export async function openVirtualLog(options: VirtualLogOptions): Promise<VirtualLog> {
  const { dir, clusterId, self: id, peers, profile, segmentBytes, onSync, mayBeNew, features = FEATURES, log, onFatal } = options
  await mkdir(dir, { recursive: true, mode: 0o700 })
  await adoptOldLayout(dir)
  const disk = await openRegisterDisk(dir)
  let parts: { runner: RegisterRunner; loglets: Loglets } | null = null
  try {
    const held = disk.found.held ?? options.initial
    if (BigInt(`0x${held.clusterId}`) !== clusterId)
      throw new MusterError('DELOS_WRONG_CLUSTER', `${dir} is of cluster ${held.clusterId}, not of ${clusterId.toString(16)}`)
    const problem = featureProblem(held, features)
    if (problem !== null) throw problem
    const own = held.servers.find((server) => BigInt(`0x${server.id}`) === id)
    if (own === undefined)
      throw new MusterError('DELOS_WRONG_CLUSTER', `server ${id.toString(16)} is no member of the cluster that ${dir} is of`)
    if (disk.found.held === null) await disk.write({ ...disk.found, held })
    await dropStrays(dir, [held, ...(disk.found.accepted === null ? [] : [disk.found.accepted.value])])
    const state = { ...disk.found, held }
    const idsOf = (value: RegisterValue): ReadonlyMap<number, bigint> =>
      new Map(value.servers.map((server) => [server.server, BigInt(`0x${server.id}`)]))
    let runtime: VirtualLogRuntime | null = null
    const loglets = new Loglets({
      ...{ dir, clusterId, peers, profile, segmentBytes, onSync, mayBeNew, log, onFatal },
      self: { server: own.server, id },
      servers: () => idsOf(runtime?.value() ?? held),
    })
    const runner = new RegisterRunner({
      self: own.server,
      disk,
      state,
      send: (to, message) => runtime?.sendRegister(to, message),
      onKnown: (value) => runtime?.known(value),
      isCaughtUp: () => runtime?.isCaughtUp() ?? false,
      onReleased: () => runtime?.release(),
      askEtcd: askEtcdOfRegister,
      onFatal,
    })
    parts = { runner, loglets }
    const self = { server: own.server, id }
    runtime = new VirtualLogRuntime(
      { self, from: options.from, isWhole: options.isWhole, register: runner, loglets, peers, features, log, onFatal },
      held,
    )
    await runtime.start()
    runner.start()
    return runtime
  } catch (error) {
    if (parts === null) await disk.close()
    else {
      await parts.runner.close()
      await parts.loglets.close()
    }
    throw error
  }
}

async function askEtcdOfRegister(request: EtcdRequest): Promise<EtcdAnswer> {
  const { askRegister } = await import('../etcd-loglet/register.ts')
  return askRegister(request)
}

const LOGLET_DIR = /^[0-9a-f]{8}$/
/** What stood in the log's own directory before there was a chain. */
const isOfOldLayout = (name: string): boolean => name === 'journal' || name === 'acceptor' || name === 'base' || name.endsWith('.seg')

/** A log of before there was a chain becomes its first loglet. */
async function adoptOldLayout(dir: string): Promise<void> {
  const old = (await readdir(dir)).filter(isOfOldLayout)
  if (old.length === 0) return
  await dropPrepared(dir)
  const first = join(dir, FIRST_LOGLET.toString(16).padStart(8, '0'))
  await mkdir(first, { recursive: true, mode: 0o700 })
  for (const name of old) await rename(join(dir, name), join(first, name))
  await syncDirectory(first)
  await syncDirectory(dir)
}

/** Loglets that were made ready and never became part of the chain, or are no longer: nobody ever acted on what is in them. */
async function dropStrays(dir: string, values: readonly RegisterValue[]): Promise<void> {
  const chain = values.flatMap((value) => value.chain)
  for (const name of await readdir(dir)) {
    if (!LOGLET_DIR.test(name) || chain.some(({ loglet }) => loglet === Number.parseInt(name, 16))) continue
    await rm(join(dir, name), { recursive: true, force: true })
  }
}
