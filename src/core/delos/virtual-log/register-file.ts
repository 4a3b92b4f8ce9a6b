import { z } from 'zod'
import { crc32c } from '../log/crc32c.ts'
import type { RegisterState } from './register-contract.ts'
import { registerValueSchema } from './value.ts'

/*
 * The file of a register: three slots (three files, as their size varies), of which two have the newest state and one the state before. A new
 * one is written to the oldest and to one of the others at the same time, and counts as on disk after both; the very first goes to the first
 * slot, and then to all. The directory is synced when they are created. A write torn anywhere leaves the third slot; damage of any one
 * slot later leaves another with the same. A slot, little-endian; what follows it is padding:
 *
 *   0 "MUSTERRG"   8 format u32   12 crc32c u32 (of bytes 16 to the end)   16 generation u64   24 length u32   28 state, JSON
 */
const NAME = new TextEncoder().encode('MUSTERRG')
const FORMAT = 1
const HEADER_BYTES = 28

const stateSchema = z.object({
  held: registerValueSchema.nullable(),
  promised: z.number().int().min(0),
  accepted: z.object({ ballot: z.number().int().min(1), value: registerValueSchema }).nullable(),
  offers: z.array(registerValueSchema),
})

export interface RegisterSlot {
  /** counts the writes; the highest one is the valid one */
  generation: number
  state: RegisterState
}

export function encodeRegisterSlot({ generation, state }: RegisterSlot): Uint8Array {
  const body = new TextEncoder().encode(JSON.stringify(state))
  const bytes = new Uint8Array(HEADER_BYTES + body.length)
  const view = new DataView(bytes.buffer)
  bytes.set(NAME)
  view.setUint32(8, FORMAT, true)
  view.setBigUint64(16, BigInt(generation), true)
  view.setUint32(24, body.length, true)
  bytes.set(body, HEADER_BYTES)
  view.setUint32(12, crc32c(bytes.subarray(16)), true)
  return bytes
}

function decodeSlot(bytes: Uint8Array): RegisterSlot | 'newer' | null {
  if (bytes.length < HEADER_BYTES || NAME.some((byte, i) => bytes[i] !== byte)) return null
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const length = view.getUint32(24, true)
  if (HEADER_BYTES + length > bytes.length) return null
  if (view.getUint32(12, true) !== crc32c(bytes.subarray(16, HEADER_BYTES + length))) return null
  if (view.getUint32(8, true) !== FORMAT) return 'newer'
  const parsed = stateSchema.safeParse(JSON.parse(new TextDecoder().decode(bytes.subarray(HEADER_BYTES, HEADER_BYTES + length))))
  return parsed.success ? { generation: Number(view.getBigUint64(16, true)), state: parsed.data } : 'newer'
}

/** @returns the two slots that the next state goes to: the oldest ones. @param generations of the slots, 0: not readable, or not there */
export function slotsToWrite(generations: readonly number[]): number[] {
  const order = generations.map((_, slot) => slot).sort((a, b) => (generations[a] ?? 0) - (generations[b] ?? 0))
  return order.slice(0, 2)
}

/** Of one slot, 0: it is not readable. */
export function generationOf(bytes: Uint8Array | null): number {
  const slot = bytes === null ? null : decodeSlot(bytes)
  return slot === null || slot === 'newer' ? 0 : slot.generation
}

/**
 * What a register's slots say; null: that file is not there.
 * - `fresh`: never written
 * - `damaged`: none can be trusted; this server must not vote with it any more
 * - `newer`: written by a program that knows more; nothing may be concluded from it
 */
export type RegisterFile = { kind: 'fresh' } | { kind: 'slot'; slot: RegisterSlot } | { kind: 'damaged' } | { kind: 'newer' }

export function decodeRegisterFile(files: readonly (Uint8Array | null)[]): RegisterFile {
  const isThere = files.map((bytes) => bytes !== null && bytes.length > 0)
  const slots = files.map((bytes, i) => (bytes === null || isThere[i] !== true ? null : decodeSlot(bytes)))
  if (slots.includes('newer')) return { kind: 'newer' }
  // At most the first write of all was begun, and torn: it never counted.
  if (slots[0] === null && !isThere.slice(1).includes(true)) return { kind: 'fresh' }
  const newest = slots.filter((slot) => slot !== null && slot !== 'newer').sort((a, b) => b.generation - a.generation)[0]
  return newest === undefined ? { kind: 'damaged' } : { kind: 'slot', slot: newest }
}
