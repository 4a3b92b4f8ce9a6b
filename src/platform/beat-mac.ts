import { createHmac, timingSafeEqual } from 'node:crypto'
import { MAC_BYTES, sealedPart, type SealedBeat } from '../core/contracts/beats.ts'

type Sealed = Pick<SealedBeat, 'seq' | 'hash' | 'ping'>

/** What seals a beat that goes over another agent, by the key of its own agent's stream. */
export function beatMac(key: Uint8Array, said: Sealed): Uint8Array {
  return createHmac('sha256', key).update(sealedPart(said)).digest().subarray(0, MAC_BYTES)
}

export function isSealedBy(key: Uint8Array, beat: SealedBeat): boolean {
  return timingSafeEqual(beatMac(key, beat), beat.mac)
}
