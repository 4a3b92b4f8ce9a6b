import { z } from 'zod'
import { registerValueSchema } from './value.ts'

/**
 * What servers say to each other about the register. A version is one slot of Paxos; `base` is the version before it, which is
 * decided: who lacks it learns it from there. Ballots are `paxos/ballot.ts`'s.
 */
const ballot = z.number().int().min(1)
const version = z.number().int().min(1)

export const registerMessageSchema = z.discriminatedUnion('kind', [
  /** you are to decide what follows this value, should it be decided: keep it */
  z.object({ kind: z.literal('offer'), offerId: z.number().int(), value: registerValueSchema }),
  z.object({ kind: z.literal('offered'), offerId: z.number().int() }),
  /** phase 1 */
  z.object({ kind: z.literal('prepare'), version, ballot, base: registerValueSchema }),
  z.object({
    kind: z.literal('promise'),
    version,
    ballot,
    accepted: z.object({ ballot, value: registerValueSchema }).nullable(),
  }),
  /** phase 2 */
  z.object({ kind: z.literal('accept'), version, ballot, value: registerValueSchema, base: registerValueSchema }),
  z.object({ kind: z.literal('accepted'), version, ballot }),
  z.object({ kind: z.literal('refuse'), version, ballot, promised: ballot }),
  /** who has more than this version? 0: nothing yet */
  z.object({ kind: z.literal('ask'), version: z.number().int().min(0) }),
  /** this is decided */
  z.object({ kind: z.literal('known'), value: registerValueSchema }),
  /** to one that is no member any more: this version is on disk here, and all of the log before its last segment */
  z.object({ kind: z.literal('holds'), version }),
])
export type RegisterMessage = z.output<typeof registerMessageSchema>

const encoder = new TextEncoder()
const decoder = new TextDecoder()

/** As UTF-8 JSON: it is seldom sent, and may be read by a person. */
export function encodeRegisterMessage(message: RegisterMessage): Uint8Array {
  return encoder.encode(JSON.stringify(message))
}

/** Null: not a message that this program knows. */
export function decodeRegisterMessage(bytes: Uint8Array): RegisterMessage | null {
  let json: unknown
  try {
    json = JSON.parse(decoder.decode(bytes))
  } catch (error) {
    if (error instanceof SyntaxError) return null
    throw error
  }
  const parsed = registerMessageSchema.safeParse(json)
  return parsed.success ? parsed.data : null
}
