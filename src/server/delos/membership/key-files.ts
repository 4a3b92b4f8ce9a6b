import { mkdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { MusterError } from '../../../core/kernel/errors.ts'
import { isKeyOf, readCertificate, type AuthorityPair } from '../../../platform/certificates.ts'
import { replaceFileDurably } from '../../../platform/files.ts'
import type { PeerTls } from '../quorum/peers.ts'

/*
 * Files in `keys/`, each for its owner alone. What belongs together is one file, so that a crash leaves the old or the new and never half.
 *
 *   ca.pem       certificate and key of the cluster's authority; the same at each server
 *   server.pem   certificate and key of this server, and the authority's certificate
 *   joining.pem  key of a server that asked to join and was not told yet: it asks again with the same
 */

/** A key and its certificate, PEM. */
export interface ServerPair {
  certificate: string
  key: string
}

export interface KeyFiles {
  /** Throw STATE_UNREADABLE when a file is damaged; null: there is none. */
  readAuthority(): AuthorityPair | null
  readServer(): ServerPair | null
  readJoining(): string | null
  /** On the disk when they return. */
  writeAuthority(pair: AuthorityPair): void
  writeServer(pair: ServerPair, authority: string): void
  writeJoining(key: string): void
  dropJoining(): void
}

export function keyFiles(dir: string): KeyFiles {
  const at = (name: string): string => join(dir, name)
  const write = (name: string, ...parts: string[]): void => {
    mkdirSync(dir, { recursive: true, mode: 0o700 })
    replaceFileDurably(at(name), parts.join(''))
  }
  const readPair = (name: string): { certificate: string; key: string } | null => {
    const text = readIfThere(at(name))
    return text === null ? null : pairOf(text, at(name))
  }
  return {
    readAuthority: () => readPair('ca.pem'),
    readServer: () => readPair('server.pem'),
    readJoining: () => readIfThere(at('joining.pem')),
    writeAuthority: ({ certificate, key }) => write('ca.pem', certificate, key),
    writeServer: ({ certificate, key }, authority) => write('server.pem', certificate, key, authority),
    writeJoining: (key) => write('joining.pem', key),
    dropJoining: () => rmSync(at('joining.pem'), { force: true }),
  }
}

/** What a connection shows: its own certificate with the authority's behind it, so that one that joins can see whom to trust. */
export function tlsOf({ certificate, key }: ServerPair, authority: string): PeerTls {
  return { key: Buffer.from(key), cert: Buffer.from(certificate + authority), ca: Buffer.from(authority) }
}

function pairOf(text: string, file: string): { certificate: string; key: string } {
  const certificate = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----\n/.exec(text)?.[0]
  const key = /-----BEGIN PRIVATE KEY-----[^-]+-----END PRIVATE KEY-----\n/.exec(text)?.[0]
  try {
    if (certificate !== undefined && key !== undefined && readCertificate(certificate).serial !== '' && isKeyOf(key, certificate))
      return { certificate, key }
  } catch {
    // Said below, with the name of the file.
  }
  throw new MusterError('STATE_UNREADABLE', `${file} does not hold a certificate and its key`, {
    hint: 'Restore it from a backup, or from `keys/ca.pem` of another server of the cluster; server.pem is made anew when it is removed.',
  })
}

function readIfThere(file: string): string | null {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw error
  }
}
