import { crc32c } from '../log/crc32c.ts'
import type { KvState } from './state.ts'
import type { Version } from './version.ts'

/** One row as bytes, before its checksum; grows with the largest row. */
let scratch = new Uint8Array(4096)
let view = new DataView(scratch.buffer)

/** Numbers of a row, and the chain's last value, before key and value. */
const FIXED_BYTES = 52

/**
 * The next value of a chain of CRC-32C over versions.
 * @returns an unsigned 32-bit integer
 */
export function chainVersion(digest: number, version: Version): number {
  const { key, value } = version
  const length = FIXED_BYTES + key.length + value.length
  reserve(length)
  view.setUint32(0, digest, true)
  view.setFloat64(4, version.mod_revision, true)
  view.setUint32(12, version.sub, true)
  view.setFloat64(16, version.create_revision, true)
  view.setFloat64(24, version.version, true)
  view.setBigInt64(32, version.lease, true)
  view.setUint32(40, version.isDeleted ? 1 : 0, true)
  view.setUint32(44, key.length, true)
  view.setUint32(48, value.length, true)
  for (let i = 0; i < key.length; i += 1) scratch[FIXED_BYTES + i] = key.charCodeAt(i)
  scratch.set(value, FIXED_BYTES + key.length)
  return crc32c(scratch, 0, length)
}

/** The same over a text, for the rows that change seldom. */
export function chainText(digest: number, text: string): number {
  reserve(4 + text.length * 2)
  view.setUint32(0, digest, true)
  for (let i = 0; i < text.length; i += 1) view.setUint16(4 + i * 2, text.charCodeAt(i), true)
  return crc32c(scratch, 0, 4 + text.length * 2)
}

/** Chains what one command changed beside keys. What compaction threw away is each server's own business. */
export function chainSmallRows(digest: number, state: KvState): number {
  const { changes, auth } = state
  let chained = chainText(digest, `state ${state.compactRevision} ${state.epoch} ${auth.revision} ${auth.isEnabled}`)
  for (const [id, row] of changes.leases) {
    chained = chainText(chained, row === null ? `lease ${id} gone` : `lease ${id} ${row.ttlS} ${row.remainingS}`)
  }
  for (const [name, row] of changes.users) chained = chainText(chained, `user ${JSON.stringify(row ?? [name])}`)
  for (const [name, row] of changes.roles) chained = chainText(chained, `role ${JSON.stringify(row ?? [name])}`)
  for (const [id, { isRaised }] of changes.alarms) chained = chainText(chained, `alarm ${id} ${isRaised}`)
  return chained
}

function reserve(length: number): void {
  if (length <= scratch.length) return
  scratch = new Uint8Array(length * 2)
  view = new DataView(scratch.buffer)
}
