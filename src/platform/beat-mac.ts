import { hash, timingSafeEqual } from 'node:crypto'
import { MAC_BYTES, sealedPart, type SealedBeat } from '../core/contracts/beats.ts'

/**
 * What seals a beat that goes over another agent, by the key (16 random bytes) of its own agent's stream: SHA-256 of both, cut to 8 bytes. What it
 * is made of has one length and only a part of the digest is told, so nothing can be appended to it; an HMAC would cost a server of 10,000 agents
 * ten times as much.
 */
export function beatMac(key: Uint8Array, said: Pick<SealedBeat, 'seq' | 'hash' | 'ping'>): Uint8Array {
  const part = sealedPart(said)
  const bytes = new Uint8Array(key.length + part.length)
  bytes.set(key)
  bytes.set(part, key.length)
  return hash('sha256', bytes, 'buffer').subarray(0, MAC_BYTES)
}

export function isSealedBy(key: Uint8Array, beat: SealedBeat): boolean {
  return timingSafeEqual(beatMac(key, beat), beat.mac)
}
