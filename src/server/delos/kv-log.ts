import type { Entry } from '../../core/contracts/entry.ts'
import type { BatchLog } from '../state/control-log.ts'
import { readBatch, type Batch } from '../../core/delos/engines/batch.ts'
import { decodeCommand } from '../../core/delos/kv/command-codec.ts'
import type { KvCommand } from '../../core/delos/kv/command.ts'
import { keyText, leaseText, textOut } from '../../core/delos/programs/text.ts'
import type { LogletEntry } from '../../core/contracts/loglet.ts'
import type * as m from '../../core/delos/wire/messages.ts'

/** A log that people read. */
export interface ReadableLog {
  head: () => number
  tail: () => number
  /** entries from a position on, at most so many */
  read: (from: number, max: number) => Entry[]
}

const TYPE: Record<KvCommand['kind'], string> = {
  put: 'KvTxn',
  deleteRange: 'KvTxn',
  txn: 'KvTxn',
  compact: 'Compacted',
  leaseGrant: 'LeaseGranted',
  leaseRevoke: 'LeaseRevoked',
  leasesExpired: 'LeasesExpired',
  leaseCheckpoint: 'LeaseCheckpointed',
  leaderClaimed: 'LeaderClaimed',
  alarm: 'AlarmChanged',
  auth: 'AuthChanged',
  ops: 'KvTxn',
}

/** The store's log as entries: a batch at a position is one, with all that was asked in it. */
export function readableKvLog(log: Pick<BatchLog, 'localHead' | 'tail' | 'read'>): ReadableLog {
  return {
    head: () => log.localHead(),
    tail: () => log.tail(),
    read: (from, max) => log.read(from, max).map(entryOf),
  }
}

function entryOf({ position, payload }: LogletEntry): Entry {
  const batch = readBatch(payload)
  if (batch === null) return { position, type: 'delos.Unknown', v: 1, at: 0, actor: '', body: { bytes: payload.length } }
  const commands = batch.entries.map(decodeCommand)
  const types = new Set(commands.map((command) => (command === null ? 'Unknown' : TYPE[command.kind])))
  const [type = 'Empty'] = types
  const bodies = commands.map((command) => (command === null ? null : bodyOf(command)))
  return {
    position,
    type: `delos.${types.size === 1 ? type : 'Batch'}`,
    v: 1,
    at: batch.timeMs,
    actor: actorsOf(batch),
    body: bodies.length === 1 ? bodies[0] : { commands: bodies },
  }
}

function actorsOf({ entries }: Batch): string {
  return [...new Set(entries.map(({ user }) => Buffer.from(user).toString('utf8')))].filter((name) => name !== '').join(', ')
}

function bodyOf(command: KvCommand): unknown {
  switch (command.kind) {
    case 'put':
      return { put: putOf(command.request) }
    case 'deleteRange':
      return { delete: rangeOf(command.request) }
    case 'txn':
      return txnOf(command.request)
    case 'compact':
      return command.request
    case 'leaseGrant':
      return { id: leaseText(command.id), ttl: command.ttlS }
    case 'leaseRevoke':
      return { id: leaseText(command.id) }
    case 'leasesExpired':
      return { ids: command.ids.map(leaseText) }
    case 'leaseCheckpoint':
      return { checkpoints: command.checkpoints.map(({ id, remainingS }) => ({ id: leaseText(id), remaining: remainingS })) }
    case 'leaderClaimed':
      return { server: command.serverId }
    case 'alarm':
      return { [command.action]: command.type, member: command.memberId.toString(16) }
    case 'auth':
      // Hashes of passwords are nothing to look at.
      return { change: { ...command.change, ...('passwordHash' in command.change ? { passwordHash: '…' } : {}) } }
  }
}

function putOf({ key, value, lease }: m.PutRequest): object {
  return { key: keyText(key), value: textOut(value).text, ...(lease === 0n ? {} : { lease: leaseText(lease) }) }
}

function rangeOf({ key, range_end: end }: { key: m.Key; range_end: m.Key }): object {
  return { key: keyText(key), ...(end === '' ? {} : { end: keyText(end) }) }
}

function txnOf({ compare, success, failure }: m.TxnRequest): object {
  return {
    compare: compare.map((one) => ({ ...rangeOf(one), target: one.target, result: one.result })),
    success: success.map(opOf),
    failure: failure.map(opOf),
  }
}

function opOf(op: m.RequestOp): object {
  if (op.request_put !== null) return { put: putOf(op.request_put) }
  if (op.request_delete_range !== null) return { delete: rangeOf(op.request_delete_range) }
  if (op.request_range !== null) return { get: rangeOf(op.request_range) }
  return op.request_txn === null ? {} : { txn: txnOf(op.request_txn) }
}
