import { z } from 'zod'
import { parseAddress } from '../../contracts/join-token.ts'
import { hashSchema } from '../../contracts/one-time-token.ts'

/** 64 bits: of a cluster or a server */
export const id64Schema = z.string().regex(/^[0-9a-f]{16}$/, 'an id is 16 hexadecimal digits')
export const serialSchema = z.string().regex(/^[0-9a-f]{32}$/, 'a serial number is 32 hexadecimal digits')
export const serverNameSchema = z
  .string()
  .regex(/^[A-Za-z0-9][\w.-]{0,62}$/, 'a name of a server is letters, digits, "_", "-" and ".", at most 63')
/** Where a server is, in the team's own words, such as `eu` or `rack-3`. */
export const regionSchema = z.string().regex(/^[A-Za-z0-9][\w.-]{0,62}$/, 'a region is letters, digits, "_", "-" and ".", at most 63')
export const peersAddressSchema = z.string().refine((text) => parseAddress(text) !== null, 'an address is HOST:PORT')
const timeSchema = z.number().int().min(0)

/** What a server asks that comes to a cluster. */
export const joinRequestSchema = z.object({
  secret: z.string().regex(/^[\w-]{43}$/, 'the secret of a token has 43 characters'),
  /** PKCS#10, PEM */
  csr: z.string().max(16 * 1024),
  name: serverNameSchema,
  /** where other servers reach it, `HOST:PORT` */
  address: peersAddressSchema,
  isVoter: z.boolean(),
})
export type JoinRequest = z.output<typeof joinRequestSchema>

/** What it is told. */
export const joinAnswerSchema = z.object({
  cluster: id64Schema,
  /** its own id from now on */
  server: id64Schema,
  /** PEM */
  certificate: z.string(),
  /** the authority's certificate and key, PEM: each server lets others in, and renews its own certificate */
  ca: z.string(),
  caKey: z.string(),
  /** of both logs, as the register's own JSON */
  registers: z.object({ control: z.unknown(), kv: z.unknown() }),
})
export type JoinAnswer = z.output<typeof joinAnswerSchema>

/** A certificate of a server, as the log knows it. */
export const certificateSchema = z.object({
  server: id64Schema,
  /** that of a server which began a cluster may be the one of its machine */
  name: z.string().min(1).max(255),
  /** SHA-256 of its public key */
  key: hashSchema,
  serial: serialSchema,
  notBefore: timeSchema,
  notAfter: timeSchema,
})
