import { randomBytes, scrypt, timingSafeEqual } from 'node:crypto'

const N = 16_384
const KEY_BYTES = 32

function derive(password: string, salt: Buffer): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    scrypt(password, salt, KEY_BYTES, { N }, (error, key) => (error === null ? resolve(key) : reject(error)))
  })
}

/** `scrypt$SALT$KEY`: what is logged and kept of a password (RFC 7914). Takes tens of ms in a thread of the pool. */
export async function hashPassword(password: string): Promise<string> {
  const salt = randomBytes(16)
  return `scrypt$${salt.toString('base64url')}$${(await derive(password, salt)).toString('base64url')}`
}

export async function checkPassword(password: string, hash: string): Promise<boolean> {
  const [kind, salt = '', key = ''] = hash.split('$')
  const wanted = Buffer.from(key, 'base64url')
  if (kind !== 'scrypt' || wanted.length !== KEY_BYTES) return false
  return timingSafeEqual(await derive(password, Buffer.from(salt, 'base64url')), wanted)
}
