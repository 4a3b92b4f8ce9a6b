import { execFileSync, spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'

export const hasOpenssl = spawnSync('openssl', ['version']).status === 0

const openssl = (...args: string[]): void => void execFileSync('openssl', args, { stdio: 'ignore' })
const KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes']

/** A certificate authority for two days: NAME.crt and NAME.key in a folder. */
export function newAuthority(folder: string, name: string): void {
  const files = ['-keyout', join(folder, `${name}.key`), '-out', join(folder, `${name}.crt`)]
  openssl('req', '-x509', ...KEY, '-subj', `/CN=${name}`, '-days', '2', ...files)
}

/** A certificate for 127.0.0.1 with a common name, of servers and of clients, signed by an authority of the same folder. */
export function newCertificate(folder: string, name: string, authority: string, commonName = name): void {
  const file = (kind: string): string => join(folder, `${name}.${kind}`)
  openssl('req', '-new', ...KEY, '-subj', `/CN=${commonName}`, '-keyout', file('key'), '-out', file('csr'))
  writeFileSync(file('ext'), 'subjectAltName=IP:127.0.0.1,DNS:localhost\nextendedKeyUsage=serverAuth,clientAuth\n')
  const authorityFiles = ['-CA', join(folder, `${authority}.crt`), '-CAkey', join(folder, `${authority}.key`), '-CAcreateserial']
  openssl('x509', '-req', '-in', file('csr'), ...authorityFiles, '-days', '2', '-extfile', file('ext'), '-out', file('crt'))
}
