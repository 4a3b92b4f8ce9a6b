import { z } from 'zod'
import { crc32c } from '../log/crc32c.ts'
import type { RegisterState } from './register-contract.ts'
import { registerValueSchema } from './value.ts'

/*
 * The file of a register: two slots (two files, as their size varies) with the same content. A new state is written and synced to the
 * first, then to the second, and counts as on disk after both; the directory is synced when they are created. A write torn
 * anywhere leaves the other slot; so does damage later. A slot, little-endian:
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
  /** counts the writes; the higher one of the two is the valid one */
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

/**
 * What a register's two slots say; null: that file is not there.
 * - `fresh`: never written
 * - `damaged`: neither can be trusted; this server must not vote with it any more
 * - `newer`: written by a program that knows more; nothing may be concluded from it
 */
export type RegisterFile = { kind: 'fresh' } | { kind: 'slot'; slot: RegisterSlot } | { kind: 'damaged' } | { kind: 'newer' }

export function decodeRegisterFile(first: Uint8Array | null, second: Uint8Array | null): RegisterFile {
  if ((first === null || first.length === 0) && (second === null || second.length === 0)) return { kind: 'fresh' }
  const slots = [first, second].map((bytes) => (bytes === null ? null : decodeSlot(bytes)))
  if (slots.includes('newer')) return { kind: 'newer' }
  // The first write of all was torn before the second slot was begun: it never counted.
  if (slots[0] === null && second === null) return { kind: 'fresh' }
  const newest = slots.filter((slot) => slot !== null && slot !== 'newer').sort((a, b) => b.generation - a.generation)[0]
  return newest === undefined ? { kind: 'damaged' } : { kind: 'slot', slot: newest }
}
