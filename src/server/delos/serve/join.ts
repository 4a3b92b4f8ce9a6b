import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { decodeRegisterFile } from '../../../core/delos/virtual-log/register-file.ts'
import { decodeValue, type RegisterValue } from '../../../core/delos/virtual-log/value.ts'
import { MusterError } from '../../../core/kernel/errors.ts'
import type { Logger } from '../../../platform/logger.ts'
import { askWelcome, type PeerTls } from '../quorum/peers.ts'
import { readRegisterSlots } from '../virtual-log/register-disk.ts'
import { joinToken } from './members.ts'
import { memberIdOf, type ServeOptions } from './options.ts'

/** Who this server is, and of which cluster, where the flags do not say it alone. */
export interface Belonging {
  clusterId: bigint
  self: bigint
  /** of one that joins: what the cluster is now */
  value: RegisterValue | null
  /** by the data directory, of which the flags know only the beginning */
  isKept: boolean
}

const JOIN_PATIENCE_MS = 20_000
const RETRY_MS = 300
/** A member that was removed and added again at the same address has another id each time. */
const GENERATIONS_MAX = 16

/**
 * A server that ran before is who it was, whatever the flags say of the cluster's beginning: members may have changed since. One that
 * joins is told by the others. Rejects with DELOS_WRONG_CLUSTER when none of them knows it.
 */
export async function belongingOf(options: ServeOptions, tls: PeerTls | null, logger: Logger): Promise<Belonging> {
  const kept = keptBelonging(options.dataDir)
  if (kept !== null) return kept
  if (!options.isJoining) return { clusterId: options.clusterId, self: options.self.id, value: null, isKept: false }
  const untilMs = performance.now() + JOIN_PATIENCE_MS
  for (;;) {
    let why = 'no other server is named in --initial-cluster'
    for (const { name, peerUrls } of options.members.filter((member) => member.name !== options.name)) {
      const url = new URL(peerUrls[0] as string)
      for (const self of idsOf(options)) {
        try {
          const told = await askWelcome(self, { host: url.hostname, port: Number(url.port) }, tls)
          const value = decodeValue(told)
          if (value === null)
            throw new MusterError('STATE_NEWER', `server ${name} tells of its cluster in a form that this program does not know`)
          return { clusterId: BigInt(`0x${value.clusterId}`), self, value, isKept: false }
        } catch (error) {
          if (error instanceof MusterError) throw error
          why = `${name}: ${(error as Error).message}`
          if (!why.includes('is no member')) break
        }
      }
    }
    if (performance.now() > untilMs)
      throw new MusterError('DELOS_WRONG_CLUSTER', `no server of the cluster lets this one in: ${why}`, {
        hint: 'Add it first, with `muster delos member add` or `etcdctl member add`, by the URLs of --initial-advertise-peer-urls.',
      })
    logger.info('waits to be let into the cluster', { reason: why })
    await new Promise((resolve) => setTimeout(resolve, RETRY_MS))
  }
}

/** By which the cluster may know it: one that it began with, and that lost its disk, or one that was added later. */
function* idsOf({ self, clusterToken }: ServeOptions): Generator<bigint> {
  yield self.id
  for (let generation = 0; generation < GENERATIONS_MAX; generation += 1)
    yield memberIdOf(self.peerUrls, joinToken(clusterToken, generation))
}

/** From a data directory whose cluster was changed since it began; null: the flags say it. */
function keptBelonging(dataDir: string): Belonging | null {
  const dir = join(dataDir, 'log', 'kv')
  const file = decodeRegisterFile(readRegisterSlots(dir))
  const held = file.kind === 'slot' ? file.slot.state.held : null
  const identity = readIfThere(join(dataDir, 'server.json'))
  if (held === null || held.version === 1 || identity === null) return null
  const { cluster, server } = JSON.parse(identity.toString('utf8')) as { cluster: string; server: string }
  return { clusterId: BigInt(`0x${cluster}`), self: BigInt(`0x${server}`), value: null, isKept: true }
}

function readIfThere(path: string): Buffer | null {
  try {
    return readFileSync(path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw error
  }
}
