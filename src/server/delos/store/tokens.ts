import {
  createHash,
  createHmac,
  createPublicKey,
  createPrivateKey,
  randomBytes,
  sign,
  timingSafeEqual,
  verify,
  type KeyObject,
} from 'node:crypto'
import { readFileSync } from 'node:fs'
import { MusterError } from '../../../core/kernel/errors.ts'

/** Who a token says is calling, as of which revision of users and roles. */
export interface TokenClaims {
  user: string
  authRevision: number
}

export interface Tokens {
  issue(claims: TokenClaims): string
  /** Null: not one of ours, or its time is over. */
  read(token: string): TokenClaims | null
}

const SIMPLE_TTL_MS = 300_000

/** The keys that servers of a cluster seal their simple tokens with: each has its own, and knows those of the others. */
export class TokenKeys {
  readonly own: Uint8Array
  readonly #known = new Map<string, Uint8Array>()

  /** @param own at least 32 bytes */
  constructor(own: Uint8Array) {
    this.own = own
    this.add(own)
  }

  add(key: Uint8Array): void {
    this.#known.set(TokenKeys.idOf(key), key)
  }

  find(id: string): Uint8Array | null {
    return this.#known.get(id) ?? null
  }

  static idOf(key: Uint8Array): string {
    return createHash('sha256').update(key).digest('base64url').slice(0, 8)
  }
}

/** Tokens of `--auth-token simple`: they say what they mean and are sealed, so that no server has to remember them. */
export function simpleTokens(keys: TokenKeys, now: () => number): Tokens {
  const seal = (key: Uint8Array, text: string): string => createHmac('sha256', key).update(text).digest('base64url')
  const ownId = TokenKeys.idOf(keys.own)
  return {
    issue: ({ user, authRevision }) => {
      const body = JSON.stringify([user, authRevision, now() + SIMPLE_TTL_MS, randomBytes(6).toString('base64url')])
      const text = `${ownId}.${Buffer.from(body).toString('base64url')}`
      return `${text}.${seal(keys.own, text)}`
    },
    read: (token) => {
      const [id = '', body = '', mark = ''] = token.split('.')
      const key = keys.find(id)
      if (key === null) return null
      const given = Buffer.from(mark)
      const wanted = Buffer.from(seal(key, `${id}.${body}`))
      if (given.length !== wanted.length || !timingSafeEqual(given, wanted)) return null
      const [user, authRevision, untilMs] = JSON.parse(Buffer.from(body, 'base64url').toString('utf8')) as [string, number, number]
      return untilMs > now() ? { user, authRevision } : null
    },
  }
}

interface JwtAlgorithm {
  name: 'HS256' | 'RS256'
  sign: (text: string) => Buffer
  verify: (text: string, signature: Buffer) => boolean
}

/**
 * Tokens of `--auth-token jwt,…` (RFC 7519), with etcd's options: `pub-key`, `priv-key`, `sign-method` RS256 or HS256, `ttl`.
 * Claims are etcd's: username, revision, exp.
 */
export function jwtTokens(algorithm: JwtAlgorithm, ttlMs: number, now: () => number): Tokens {
  const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url')
  const head = encode({ alg: algorithm.name, typ: 'JWT' })
  return {
    issue: ({ user, authRevision }) => {
      const text = `${head}.${encode({ username: user, revision: authRevision, exp: Math.floor((now() + ttlMs) / 1000) })}`
      return `${text}.${algorithm.sign(text).toString('base64url')}`
    },
    read: (token) => {
      const [first = '', second = '', third = ''] = token.split('.')
      if (first !== head || !algorithm.verify(`${first}.${second}`, Buffer.from(third, 'base64url'))) return null
      const claims = JSON.parse(Buffer.from(second, 'base64url').toString('utf8')) as {
        username?: unknown
        revision?: unknown
        exp?: unknown
      }
      if (typeof claims.username !== 'string' || typeof claims.revision !== 'number') return null
      return typeof claims.exp === 'number' && claims.exp * 1000 > now() ? { user: claims.username, authRevision: claims.revision } : null
    },
  }
}

function hs256(secret: Uint8Array): JwtAlgorithm {
  const mac = (text: string): Buffer => createHmac('sha256', secret).update(text).digest()
  return {
    name: 'HS256',
    sign: mac,
    verify: (text, signature) => {
      const wanted = mac(text)
      return signature.length === wanted.length && timingSafeEqual(signature, wanted)
    },
  }
}

function rs256(publicKey: KeyObject, privateKey: KeyObject | null): JwtAlgorithm {
  return {
    name: 'RS256',
    sign: (text) => {
      if (privateKey === null)
        throw new MusterError('UNAVAILABLE', 'this server has no private key to sign tokens with', {
          hint: 'Give priv-key in --auth-token.',
        })
      return sign('sha256', Buffer.from(text), privateKey)
    },
    verify: (text, signature) => verify('sha256', Buffer.from(text), publicKey, signature),
  }
}

/**
 * What `--auth-token` asks for. Throws USAGE naming the part that is wrong.
 * @param spec `simple` or `jwt,pub-key=FILE,priv-key=FILE,sign-method=RS256,ttl=10m`
 */
export function tokensFrom(spec: string, simpleKeys: TokenKeys, now: () => number, parseDuration: (text: string) => number | null): Tokens {
  const [kind, ...parts] = spec.split(',')
  if (kind === 'simple') return simpleTokens(simpleKeys, now)
  const wrong = (why: string): MusterError =>
    new MusterError('USAGE', `--auth-token ${spec}: ${why}`, { hint: 'Give simple, or jwt,pub-key=FILE,priv-key=FILE,sign-method=RS256.' })
  if (kind !== 'jwt') throw wrong(`${kind} is no kind of token`)
  const options = new Map(parts.map((part) => part.split('=', 2) as [string, string]))
  const ttlMs = parseDuration(options.get('ttl') ?? '5m')
  if (ttlMs === null || ttlMs <= 0) throw wrong('ttl is no duration')
  const read = (name: string): Buffer | null => {
    const file = options.get(name)
    if (file === undefined) return null
    try {
      return readFileSync(file)
    } catch (error) {
      throw wrong(`${name} ${file} cannot be read (${(error as NodeJS.ErrnoException).code})`)
    }
  }
  const method = options.get('sign-method')
  const privateKey = read('priv-key')
  if (method === 'HS256') {
    if (privateKey === null) throw wrong('HS256 needs priv-key')
    return jwtTokens(hs256(privateKey), ttlMs, now)
  }
  if (method !== 'RS256') throw wrong(`sign-method ${method ?? 'is missing'}: RS256 and HS256 are known`)
  const publicKey = read('pub-key')
  if (publicKey === null) throw wrong('RS256 needs pub-key')
  return jwtTokens(rs256(createPublicKey(publicKey), privateKey === null ? null : createPrivateKey(privateKey)), ttlMs, now)
}
