import { readFileSync } from 'node:fs'

/** What a joined agent shows and whom it believes, PEM. */
export interface KeyParts {
  key: string
  certificate: string
  /** the fleet's authority */
  ca: string
}

/** One file, so that a crash leaves the old or the new and never half. Throws when it does not hold all three. */
export function readKeyFile(file: string): KeyParts {
  const text = readFileSync(file, 'utf8')
  const key = /-----BEGIN PRIVATE KEY-----[^-]+-----END PRIVATE KEY-----\n/.exec(text)?.[0]
  const [certificate, ca] = text.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----\n/g) ?? []
  if (key === undefined || certificate === undefined || ca === undefined)
    throw new Error(`${file} does not hold a key and two certificates`)
  return { key, certificate, ca }
}

export const keyFileText = ({ key, certificate, ca }: KeyParts): string => key + certificate + ca
