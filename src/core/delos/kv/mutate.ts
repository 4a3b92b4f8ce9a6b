import type { Key } from '../wire/messages.ts'
import type { KvState } from './state.ts'
import { bytesOf, NO_BYTES, tombstone, type KeyHistory, type Version } from './version.ts'

/** Writes a key within the running revision. @returns what was there before, null if nothing */
export function putKey(state: KvState, key: Key, value: Uint8Array, lease: bigint): Version | null {
  const revision = state.revision + 1
  const history = state.index.get(key)
  const latest = history?.latest
  const before = latest === undefined || latest.isDeleted ? null : latest
  const version: Version = {
    key: history === undefined ? key : history.key,
    create_revision: before === null ? revision : before.create_revision,
    mod_revision: revision,
    version: before === null ? 1 : before.version + 1,
    value: owned(value),
    lease,
    sub: state.written,
    isDeleted: false,
  }
  if (history === undefined) state.index.add({ key, versions: [version], latest: version, chunk: null })
  else append(history, version)
  if (before === null) state.liveKeys += 1
  else state.liveBytes -= bytesOf(before)
  state.liveBytes += bytesOf(version)
  if (before !== null && before.lease !== lease) detach(state, before)
  if (lease !== 0n) state.leases.get(lease)?.keys.add(version.key)
  record(state, version)
  return before
}

/** Deletes a key that is there, within the running revision. */
export function deleteKey(state: KvState, history: KeyHistory): void {
  const before = history.latest
  const version = tombstone(history.key, state.revision + 1, state.written)
  append(history, version)
  state.liveKeys -= 1
  state.liveBytes -= bytesOf(before)
  detach(state, before)
  record(state, version)
}

function append(history: KeyHistory, version: Version): void {
  const { latest, chunk } = history
  if (chunk !== null && latest.isDeleted !== version.isDeleted) chunk.live += version.isDeleted ? -1 : 1
  history.versions.push(version)
  history.latest = version
}

function record(state: KvState, version: Version): void {
  state.journal.push(version)
  state.changes.versions.push(version)
  state.sizeBytes += bytesOf(version)
  state.written += 1
}

function detach(state: KvState, version: Version): void {
  if (version.lease !== 0n) state.leases.get(version.lease)?.keys.delete(version.key)
}

/** Small values share a buffer of this size: one alone costs V8 three times its bytes, and its collector more. */
const SLAB_BYTES = 4096
const SLAB_VALUE_BYTES_MAX = 512
let slab = new Uint8Array(SLAB_BYTES)
let slabUsed = 0

/**
 * A value that is a window on a larger buffer (a batch as it was read) would keep all of that alive: it is copied, a small one into a
 * slab, of which a last value that stays keeps four kilobytes. Asked by the offset and not by the buffer, as looking at that moves a small array
 * out of V8's heap.
 */
function owned(value: Uint8Array): Uint8Array {
  const { length } = value
  if (value.byteOffset === 0) return value
  if (length === 0) return NO_BYTES
  if (length > SLAB_VALUE_BYTES_MAX) return value.slice()
  if (slabUsed + length > SLAB_BYTES) {
    slab = new Uint8Array(SLAB_BYTES)
    slabUsed = 0
  }
  slab.set(value, slabUsed)
  slabUsed += length
  return slab.subarray(slabUsed - length, slabUsed)
}
