import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  fingerprintOf,
  isKeyOf,
  makeAuthority,
  makeKey,
  makeRequest,
  newSerial,
  readCertificate,
  readRequest,
  signRequest,
  type AuthorityPair,
} from '../../src/platform/certificates.ts'

const DAY_MS = 86_400_000
const now = Math.floor(Date.now() / 1000) * 1000
const URI = 'muster:server:00000000000000ab'

const authority = (): Promise<AuthorityPair> =>
  makeAuthority({ name: 'muster test', notBeforeMs: now - DAY_MS * 400, notAfterMs: now + DAY_MS * 400 })
const names = (from: number, until: number) => ({
  ...{ name: 'b', names: ['10.0.0.4', 'host-b.example', '::1'], uri: URI, serial: newSerial() },
  ...{ notBeforeMs: from, notAfterMs: until },
})

const hasOpenssl = spawnSync('openssl', ['version']).error === undefined

describe.skipIf(!hasOpenssl)('by openssl (skipped without it)', () => {
  let folder: string
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'muster-x509-'))
  })
  afterAll(() => rmSync(folder, { recursive: true, force: true }))
  const put = (name: string, text: string): string => {
    writeFileSync(join(folder, name), text)
    return join(folder, name)
  }
  const openssl = (...args: string[]): string => execFileSync('openssl', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })

  test('a certificate is valid for both ends and says its names; an expired one and one of another authority are refused', async () => {
    const ca = await authority()
    const request = await makeRequest(makeKey(), 'b')
    const good = put('good.pem', await signRequest(ca, request, names(now - 1000, now + 90 * DAY_MS)))
    const old = put('old.pem', await signRequest(ca, request, names(now - 100 * DAY_MS, now - DAY_MS)))
    const caFile = put('ca.pem', ca.certificate)
    const otherFile = put('other.pem', (await authority()).certificate)
    const verify = (ca: string, file: string): string => {
      const { stdout, stderr } = spawnSync('openssl', ['verify', '-x509_strict', '-CAfile', ca, '-purpose', 'sslserver', file], {
        encoding: 'utf8',
      })
      return stdout + stderr
    }
    expect(verify(caFile, good)).toBe(`${good}: OK\n`)
    expect(openssl('verify', '-x509_strict', '-CAfile', caFile, '-purpose', 'sslclient', good)).toBe(`${good}: OK\n`)
    expect(verify(caFile, old)).toContain('certificate has expired')
    expect(verify(otherFile, good)).toMatch(/unable to get local issuer certificate|signature failure/)
    const text = openssl('x509', '-noout', '-text', '-in', good)
    expect(text).toContain(`IP Address:10.0.0.4, DNS:host-b.example, IP Address:0:0:0:0:0:0:0:1, URI:${URI}`)
    expect(text).toContain('NIST CURVE: P-256')
    expect(text).toContain('CA:FALSE')
    // What was signed by an end is worth nothing.
    expect(openssl('x509', '-noout', '-text', '-in', caFile)).toContain('CA:TRUE, pathlen:0')
  })

  test('a request is one for openssl too', async () => {
    const file = put('b.csr', await makeRequest(makeKey(), 'b'))
    expect(openssl('req', '-noout', '-subject', '-verify', '-in', file)).toContain('CN = b')
  })

  test('a request for another kind of key is refused', async () => {
    openssl(
      'req',
      '-new',
      '-newkey',
      'rsa:2048',
      '-nodes',
      '-subj',
      '/CN=x',
      '-keyout',
      join(folder, 'rsa.key'),
      '-out',
      join(folder, 'rsa.csr'),
    )
    const rsa = execFileSync('cat', [join(folder, 'rsa.csr')], { encoding: 'utf8' })
    await expect(readRequest(rsa)).rejects.toMatchObject({ code: 'USAGE', message: expect.stringContaining('P-256') })
  })
})

test('a certificate says its serial, key and times; the key is that of the request', async () => {
  const ca = await authority()
  const key = makeKey()
  const request = await makeRequest(key, 'b')
  const given = names(now - 1000, now + 90 * DAY_MS)
  const certificate = await signRequest(ca, request, given)
  expect(readCertificate(certificate)).toEqual({
    ...(await readRequest(request)),
    serial: given.serial,
    notBeforeMs: given.notBeforeMs,
    notAfterMs: given.notAfterMs,
  })
  expect(isKeyOf(key, certificate)).toBe(true)
  expect(isKeyOf(makeKey(), certificate)).toBe(false)
  expect(isKeyOf(ca.key, ca.certificate)).toBe(true)
  expect(fingerprintOf(ca.certificate)).toMatch(/^[\w-]{43}$/)
})

test('what is no request, or is signed by another key, is refused with why', async () => {
  await expect(readRequest('hello')).rejects.toMatchObject({ code: 'USAGE', message: expect.stringContaining('signing request') })
  await expect(readRequest('x'.repeat(20_000))).rejects.toMatchObject({
    code: 'USAGE',
    message: expect.stringContaining('20000 characters'),
  })
  const request = await makeRequest(makeKey(), 'b')
  const der = Buffer.from(request.replaceAll(/-----.*-----|\n/g, ''), 'base64')
  // The last byte is of the signature.
  der[der.length - 1] = (der.at(-1) as number) ^ 1
  const forged = `-----BEGIN CERTIFICATE REQUEST-----\n${der.toString('base64')}\n-----END CERTIFICATE REQUEST-----\n`
  await expect(readRequest(forged)).rejects.toMatchObject({ code: 'USAGE', message: expect.stringContaining('not signed by its own key') })
})
