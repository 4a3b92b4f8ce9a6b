import { createHash, createHmac, pbkdf2Sync, randomBytes } from 'node:crypto'
import { SCRAM_ITERATIONS, verifierText, type ScramTools } from '../../../../core/scuba/pgwire/scram.ts'

/** What SCRAM's maths needs of a computer. */
export const scramTools: ScramTools = {
  hmac: (key, data) => createHmac('sha256', key).update(data).digest(),
  hash: (data) => createHash('sha256').update(data).digest(),
  toBase64: (bytes) => Buffer.from(bytes).toString('base64'),
  fromBase64: (text) => (/^[A-Za-z0-9+/]*={0,2}$/.test(text) ? Buffer.from(text, 'base64') : null),
}

/** What is kept of a password so that SCRAM-SHA-256 can check it; it is to be had from it only as long as it is known. */
export function verifierOf(password: string): string {
  const salt = randomBytes(16)
  return verifierText(pbkdf2Sync(password, salt, SCRAM_ITERATIONS, 32, 'sha256'), salt, scramTools)
}
