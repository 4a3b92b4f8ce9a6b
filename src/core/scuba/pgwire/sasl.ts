import { Fields } from './messages.ts'

export const SASL_MECHANISM = 'SCRAM-SHA-256'

/** The client's first message of the mechanism, from SASLInitialResponse; null: another mechanism, or not of its form. */
export function saslInitial(body: Uint8Array): string | null {
  try {
    const fields = new Fields(body)
    if (fields.text() !== SASL_MECHANISM) return null
    const value = fields.value()
    return value === null ? null : new TextDecoder('utf-8', { fatal: true }).decode(value)
  } catch {
    // RangeError or TypeError: it is not of its form.
    return null
  }
}
