import type { Entry } from '../../core/contracts/entry.ts'

/**
 * An entry as the log holds it: JSON with one-letter names, in UTF-8. The position is not in it, since the log knows it.
 * `t` type, `v` version, `a` time, `u` actor, `b` body, `n` notable, `r` trace.
 */
export function encodeEntry(entry: Omit<Entry, 'position'>): Uint8Array {
  const { type: t, v, at: a, actor: u, body: b, notable: n, trace: r } = entry
  return Buffer.from(JSON.stringify({ t, v, a, u, b, n, r }))
}

export function decodeEntry(position: number, payload: Uint8Array): Entry {
  const { t, v, a, u, b, n, r } = JSON.parse(Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength).toString('utf8'))
  const entry: Entry = { position, type: t, v, at: a, actor: u, body: b }
  if (n) entry.notable = n
  if (r) entry.trace = r
  return entry
}
