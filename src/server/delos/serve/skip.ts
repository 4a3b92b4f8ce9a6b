import { readBatch } from '../../../core/delos/engines/batch.ts'
import { serverOfProposer } from '../../../core/delos/engines/proposer.ts'
import { decodeCommand } from '../../../core/delos/kv/command-codec.ts'
import { kindName } from '../../../core/delos/kv/command-kind.ts'
import { presentServers } from '../../../core/delos/virtual-log/value.ts'
import type { Replica } from '../store/replica.ts'
import type { VirtualLog } from '../virtual-log/virtual-log.ts'
import { refusalOf, type Refusal } from './admin-refusal.ts'
import type { Members } from './members.ts'
import { printable } from './metrics.ts'

export interface SkipRequest {
  position: number
  reason: string
  dryRun: boolean
}

/** What stands at a position, as far as it can be read. */
export interface EntryView {
  /** ms since the epoch, as its proposer took it to be */
  timeMs: number
  /** name of the server that proposed it; null: an older program, which did not say */
  proposer: string | null
  /** `key` null: it has none, or its body is not to be read */
  commands: { kind: string; key: string | null; user: string; bytes: number }[]
}

export interface SkipAnswer {
  position: number
  reason: string
  /** null: this server has no part in the loglet that holds it */
  entry: EntryView | null
  /** `applied`: up to which position; null: it does not answer */
  servers: { name: string; applied: number | null; does: 'makes its store anew' | 'passes over it' | 'when it comes back' }[]
  /** version of the register that says so; null: nothing was changed */
  version: number | null
  wasSkipped: boolean
}

/** What is made of a log at this server, as far as a skip has to do with it. */
export interface SkipTarget {
  /** up to which position */
  applied: () => number
  /** null: this server has no part in the loglet that holds it */
  entryAt: (position: number) => EntryView | null
  /** A copy from before the position is here, with which the log goes on. */
  isKeptBelow: (position: number) => boolean
}

/** The store of a replica. */
export function storeSkips(log: VirtualLog, replica: Replica): SkipTarget {
  return { applied: () => replica.applied, entryAt: (position) => entryAt(log, position), isKeptBelow: () => false }
}

/** Has a position passed over by every server, for ever. */
export async function skipPosition(
  { log, target, members, self }: { log: VirtualLog; target: SkipTarget; members: Members; self: bigint },
  { position, reason, dryRun }: SkipRequest,
): Promise<SkipAnswer | Refusal> {
  if (position < log.head())
    return { code: 'DELOS_TRIMMED', message: `position ${position} is no longer kept; the log begins at ${log.head()}` }
  if (position >= log.tail())
    return { code: 'DELOS_RECONFIGURE_REFUSED', message: `nothing stands at position ${position}; the log ends at ${log.tail() - 1}` }
  const value = log.value()
  const health = members.health()
  const servers = presentServers(value).map(({ server, id, name }) => {
    const said = health.get(server)
    const applied = BigInt(`0x${id}`) === self ? target.applied() : said?.isReachable === true ? said.position - 1 : null
    const does =
      applied === null
        ? ('when it comes back' as const)
        : applied < position
          ? ('passes over it' as const)
          : ('makes its store anew' as const)
    return { name: name === '' ? id : name, applied, does }
  })
  const answer = { position, reason, entry: target.entryAt(position), servers }
  if (value.skips.some((skip) => skip.position === position)) return { ...answer, version: value.version, wasSkipped: true }
  // Who applied it makes its store from the whole log, or takes that of one that did not.
  const isMadeElsewhere = servers.some(({ applied }) => applied !== null && applied < position)
  if (log.head() > 1 && !isMadeElsewhere && !target.isKeptBelow(position))
    return {
      code: 'DELOS_RECONFIGURE_REFUSED',
      message: `every server that answers has applied position ${position}, and the log, which begins at ${log.head()}, no longer makes a store without it`,
    }
  if (dryRun) return { ...answer, version: null, wasSkipped: false }
  const outcome = await log.change({ kind: 'skip', position, reason })
  return outcome.kind === 'done' ? { ...answer, version: outcome.value.version, wasSkipped: false } : refusalOf(outcome)
}

function entryAt(log: VirtualLog, position: number): EntryView | null {
  const [found] = log.read(position, 1)
  const batch = found === undefined ? null : readBatch(found.payload)
  if (batch === null) return null
  const number = serverOfProposer(batch.proposer)
  const server = log.value().servers.find((each) => each.server === number)
  const commands = batch.entries.map((entry) => {
    return { kind: kindName(entry.kind), key: keyOf(entry), user: Buffer.from(entry.user).toString(), bytes: entry.body.length }
  })
  return { timeMs: batch.timeMs, proposer: server === undefined ? null : server.name || server.id, commands }
}

function keyOf(entry: Parameters<typeof decodeCommand>[0]): string | null {
  try {
    const command = decodeCommand(entry)
    return command !== null && 'request' in command && 'key' in command.request ? printable(command.request.key) : null
  } catch {
    return null // what cannot be read may be the very reason to skip it
  }
}
