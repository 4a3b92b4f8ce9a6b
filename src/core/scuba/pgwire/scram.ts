import { SCRAM_VERIFIER } from '../../contracts/scram-verifier.ts'

/**
 * The server's side of SCRAM-SHA-256 (RFC 5802 section 3, RFC 7677), without channel binding. What is kept of a password is
 * PostgreSQL's own text, `SCRAM-SHA-256$4096:SALT$STOREDKEY:SERVERKEY` in base64: whoever reads it can log in nowhere with it.
 */

/** HMAC and hash of SHA-256, and base64, which the core does not have. */
export interface ScramTools {
  hmac: (key: Uint8Array, data: Uint8Array) => Uint8Array
  hash: (data: Uint8Array) => Uint8Array
  toBase64: (bytes: Uint8Array) => string
  /** null: it is none */
  fromBase64: (text: string) => Uint8Array | null
}

export interface Verifier {
  iterations: number
  salt: Uint8Array
  storedKey: Uint8Array
  serverKey: Uint8Array
}

export const SCRAM_ITERATIONS = 4096

const encoder = new TextEncoder()
const bytes = (text: string): Uint8Array => encoder.encode(text)

/** @param saltedPassword PBKDF2 of the password with salt and {@link SCRAM_ITERATIONS}, 32 bytes */
export function verifierText(saltedPassword: Uint8Array, salt: Uint8Array, tools: ScramTools): string {
  const storedKey = tools.hash(tools.hmac(saltedPassword, bytes('Client Key')))
  const serverKey = tools.hmac(saltedPassword, bytes('Server Key'))
  return `SCRAM-SHA-256$${SCRAM_ITERATIONS}:${tools.toBase64(salt)}$${tools.toBase64(storedKey)}:${tools.toBase64(serverKey)}`
}

export function parseVerifier(text: string, tools: Pick<ScramTools, 'fromBase64'>): Verifier | null {
  const [, iterations, ...parts] = SCRAM_VERIFIER.exec(text) ?? []
  const [salt, storedKey, serverKey] = parts.map((part) => tools.fromBase64(part))
  if (!salt || !storedKey || !serverKey) return null
  return { iterations: Number(iterations), salt, storedKey, serverKey }
}

/** What is asked of a user that there is not, so that nobody learns who there is. It lets nobody in. */
export function mockVerifier(user: string, secret: Uint8Array, tools: ScramTools): Verifier {
  const salt = tools.hmac(secret, bytes(user)).subarray(0, 16)
  return { iterations: SCRAM_ITERATIONS, salt, storedKey: new Uint8Array(32), serverKey: new Uint8Array(32) }
}

export type ScramStep = { ok: true; reply: string } | { ok: false; reason: string }

/** One attempt to log in: the client's first message, then its last. */
export class ScramExchange {
  readonly #verifier: Verifier
  readonly #nonce: string
  readonly #tools: ScramTools
  #clientFirst = ''
  #serverFirst = ''
  #binding = ''

  /** @param nonce printable, without commas, never used before */
  constructor(verifier: Verifier, nonce: string, tools: ScramTools) {
    this.#verifier = verifier
    this.#nonce = nonce
    this.#tools = tools
  }

  /** `n,,n=USER,r=NONCE` → `r=…,s=…,i=…`. The user of the start-up message counts, as in PostgreSQL. */
  first(message: string): ScramStep {
    const [, header, bare, nonce] = /^([ny],(?:a=[^,]*)?,)(n=[^,]*,r=([\x21-\x2b\x2d-\x7e]+))(?:,.*)?$/.exec(message) ?? []
    if (header === undefined || bare === undefined || nonce === undefined)
      return {
        ok: false,
        reason: message.startsWith('p=') ? 'channel binding was not offered' : 'the first message of SCRAM is not of its form',
      }
    this.#clientFirst = message.slice(header.length)
    this.#binding = this.#tools.toBase64(bytes(header))
    const { salt, iterations } = this.#verifier
    this.#serverFirst = `r=${nonce}${this.#nonce},s=${this.#tools.toBase64(salt)},i=${iterations}`
    return { ok: true, reply: this.#serverFirst }
  }

  /** `c=…,r=…,p=PROOF` → `v=…` if the client knows the password. */
  last(message: string): ScramStep {
    const [, unproved, binding, nonce, proofText] = /^(c=([^,]*),r=([^,]*)),p=([^,]*)$/.exec(message) ?? []
    if (unproved === undefined || proofText === undefined) return { ok: false, reason: 'the last message of SCRAM is not of its form' }
    if (binding !== this.#binding) return { ok: false, reason: 'the channel binding of SCRAM does not match' }
    if (`r=${nonce}` !== this.#serverFirst.split(',')[0]) return { ok: false, reason: 'the nonce of SCRAM does not match' }
    const proof = this.#tools.fromBase64(proofText)
    if (proof?.length !== 32) return { ok: false, reason: 'the proof of SCRAM is not of its form' }
    const { storedKey, serverKey } = this.#verifier
    const said = bytes(`${this.#clientFirst},${this.#serverFirst},${unproved}`)
    const signature = this.#tools.hmac(storedKey, said)
    const clientKey = proof.map((byte, index) => byte ^ (signature[index] ?? 0))
    if (!isSame(this.#tools.hash(clientKey), storedKey)) return { ok: false, reason: 'the password is wrong' }
    return { ok: true, reply: `v=${this.#tools.toBase64(this.#tools.hmac(serverKey, said))}` }
  }
}

/** Takes as long whatever differs. */
function isSame(a: Uint8Array, b: Uint8Array): boolean {
  let difference = a.length ^ b.length
  a.forEach((byte, index) => (difference |= byte ^ (b[index] ?? 0)))
  return difference === 0
}
