import type { HashKVResponse } from '../wire/messages.ts'
import type { RpcError } from '../wire/service.ts'
import { chainVersion } from './digest.ts'
import { KV_ERRORS } from './errors.ts'
import { visitKept } from './persistence.ts'
import { header, type KvState } from './state.ts'

/**
 * A checksum of all that can be read up to a revision (0: the present one), equal on servers that were compacted at the same revision
 * however far each is with it. Not etcd's number: that depends on its file format.
 */
export function hashKv(state: KvState, revision: number): HashKVResponse | RpcError {
  if (revision > state.revision) return KV_ERRORS.futureRevision
  if (revision > 0 && revision < state.compactRevision) return KV_ERRORS.compacted
  let hash = 0
  const last = revision > 0 ? revision : state.revision
  visitKept(state, (version) => {
    if (version.mod_revision <= last) hash = chainVersion(hash, version)
  })
  return { header: header(state.revision), hash, compact_revision: state.compactRevision }
}
