import * as kv from './kv.ts'
import { level } from './kv-level.ts'
import * as lease from './lease.ts'
import * as lock from './lock.ts'
import type { StoreOperation } from './program.ts'
import { txn } from './txn.ts'

/** By the operation's name: how it is asked of a store, near or far. Inputs were checked by the operation's schema. */
const STORE_OPERATIONS = {
  'delos.kv.get': kv.get,
  'delos.kv.level': level,
  'delos.kv.put': kv.put,
  'delos.kv.del': kv.del,
  'delos.kv.txn': txn,
  'delos.kv.compact': kv.compact,
  'delos.lease.grant': lease.grant,
  'delos.lease.keepalive': lease.keepalive,
  'delos.lease.revoke': lease.revoke,
  'delos.lease.show': lease.show,
  'delos.lease.ls': lease.list,
  'delos.lock.acquire': lock.acquire,
  'delos.lock.delay': lock.delay,
  'delos.lock.standing': lock.place,
  'delos.lock.release': lock.release,
  'delos.lock.show': lock.show,
  'delos.lock.ls': lock.list,
}

export const storeOperations: ReadonlyMap<string, StoreOperation<never, unknown>> = new Map(Object.entries(STORE_OPERATIONS))
