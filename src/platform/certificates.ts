import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  randomBytes,
  webcrypto,
  X509Certificate,
  type KeyObject,
} from 'node:crypto'
import { isIP } from 'node:net'
import { MusterError } from '../core/kernel/errors.ts'

/*
 * Certificates: Node reads them and cannot issue them. This file is the only one that knows @peculiar/x509. It is in the room that all processes
 * share: the control plane signs, and whoever wants a certificate makes its own key and request. Keys are P-256, signatures ECDSA with SHA-256.
 */

/** A certificate authority: its certificate and its key, PEM. */
export interface AuthorityPair {
  certificate: string
  key: string
}

/** What a certificate says beside its key. Times are ms since the epoch and count in whole seconds. */
export interface CertificateNames {
  /** common name */
  name: string
  /** host names and IP addresses */
  names: readonly string[]
  /** who it is, as a URI */
  uri: string
  /** 32 hex digits, of `newSerial` */
  serial: string
  notBeforeMs: number
  notAfterMs: number
}

const CURVE = { name: 'ECDSA', namedCurve: 'P-256' } as const
const SIGNATURE = { name: 'ECDSA', hash: 'SHA-256' } as const
/** Longest request that is parsed: one for a P-256 key is below 1 KiB. */
const REQUEST_CHARS_MAX = 16 * 1024

/** Costs a tenth of a second, so only who issues something loads it. */
async function library(): Promise<typeof import('@peculiar/x509')> {
  // The library puts itself together by decorators, whose standard library this is.
  await import('reflect-metadata')
  return import('@peculiar/x509')
}

/** A new P-256 key, as PKCS#8 PEM. */
export function makeKey(): string {
  return generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ type: 'pkcs8', format: 'pem' }) as string
}

/** 127 random bits, as RFC 5280 (4.1.2.2) wants them: positive, and never twice by one authority. */
export function newSerial(): string {
  const bytes = randomBytes(16)
  // Neither negative nor shorter than it looks.
  bytes[0] = ((bytes[0] as number) & 0x3f) | 0x40
  return bytes.toString('hex')
}

/** A new authority that signs itself, and nothing but certificates of ends. */
export async function makeAuthority(given: { name: string; notBeforeMs: number; notAfterMs: number }): Promise<AuthorityPair> {
  const x509 = await library()
  const key = makeKey()
  const keys = await pairOf(key)
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: newSerial(),
    name: [{ CN: [given.name] }],
    notBefore: new Date(given.notBeforeMs),
    notAfter: new Date(given.notAfterMs),
    signingAlgorithm: SIGNATURE,
    keys,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  })
  return { certificate: pemText(certificate.toString('pem')), key }
}

/** A signing request (PKCS#10, PEM) for a key of `makeKey`: proves that whoever asks has the key. */
export async function makeRequest(key: string, name: string): Promise<string> {
  const x509 = await library()
  const request = await x509.Pkcs10CertificateRequestGenerator.create({
    name: [{ CN: [name] }],
    keys: await pairOf(key),
    signingAlgorithm: SIGNATURE,
  })
  return pemText(request.toString('pem'))
}

/**
 * Which key a request is for: SHA-256 of its SPKI, in hex. Rejects with USAGE when it is no request, is not signed by its key, or its key is not of
 * P-256.
 */
export async function readRequest(request: string): Promise<{ key: string }> {
  return { key: keyHashOf((await parsedRequest(request)).key) }
}

/** A certificate for the key of a request, for both ends of TLS. Nothing of the request but its key is taken over. */
export async function signRequest(authority: AuthorityPair, request: string, given: CertificateNames): Promise<string> {
  const x509 = await library()
  const { key, webKey } = await parsedRequest(request)
  const issuer = new x509.X509Certificate(authority.certificate)
  const { privateKey } = await pairOf(authority.key)
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: given.serial,
    subject: [{ CN: [given.name] }],
    issuer: issuer.subjectName,
    notBefore: new Date(given.notBeforeMs),
    notAfter: new Date(given.notAfterMs),
    signingAlgorithm: SIGNATURE,
    publicKey: key.export({ type: 'spki', format: 'der' }),
    signingKey: privateKey,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth, x509.ExtendedKeyUsage.clientAuth]),
      new x509.SubjectAlternativeNameExtension([
        ...given.names.map((value) => ({ type: isIP(value) === 0 ? ('dns' as const) : ('ip' as const), value })),
        { type: 'url', value: given.uri },
      ]),
      await x509.SubjectKeyIdentifierExtension.create(webKey),
      await x509.AuthorityKeyIdentifierExtension.create(issuer),
    ],
  })
  return pemText(certificate.toString('pem'))
}

/** What a certificate (the first one, when there are several) says of itself. Throws when the text is none. */
export function readCertificate(pem: string | Buffer): { serial: string; key: string; notBeforeMs: number; notAfterMs: number } {
  const certificate = new X509Certificate(pem)
  return {
    serial: certificate.serialNumber.toLowerCase(),
    key: keyHashOf(certificate.publicKey),
    notBeforeMs: Date.parse(certificate.validFrom),
    notAfterMs: Date.parse(certificate.validTo),
  }
}

/** Whether a private key is that of a certificate. */
export function isKeyOf(key: string, certificate: string): boolean {
  return new X509Certificate(certificate).checkPrivateKey(createPrivateKey(key))
}

/** SHA-256 of a certificate's DER, base64url. */
export function fingerprintOf(certificate: string | Buffer): string {
  return createHash('sha256').update(new X509Certificate(certificate).raw).digest('base64url')
}

async function parsedRequest(text: string): Promise<{ key: KeyObject; webKey: webcrypto.CryptoKey }> {
  const x509 = await library()
  try {
    if (text.length > REQUEST_CHARS_MAX) throw new RangeError(`it has ${text.length} characters`)
    const request = new x509.Pkcs10CertificateRequest(text)
    const key = createPublicKey({ key: Buffer.from(request.publicKey.rawData), type: 'spki', format: 'der' })
    if (key.asymmetricKeyType !== 'ec' || key.asymmetricKeyDetails?.namedCurve !== 'prime256v1')
      throw new TypeError('its key is not of P-256')
    if (!(await request.verify())) throw new TypeError('it is not signed by its own key')
    return { key, webKey: await request.publicKey.export(CURVE, ['verify']) }
  } catch (cause) {
    // The library has no errors of its own: whatever it finds odd in these bytes, they are no request.
    throw new MusterError('USAGE', `the signing request cannot be taken: ${(cause as Error).message}`, { cause })
  }
}

async function pairOf(key: string): Promise<webcrypto.CryptoKeyPair> {
  const { subtle } = webcrypto
  const secret = createPrivateKey(key)
  const open = createPublicKey(secret)
  return {
    privateKey: await subtle.importKey('pkcs8', secret.export({ type: 'pkcs8', format: 'der' }), CURVE, false, ['sign']),
    publicKey: await subtle.importKey('spki', open.export({ type: 'spki', format: 'der' }), CURVE, true, ['verify']),
  }
}

const keyHashOf = (key: KeyObject): string =>
  createHash('sha256')
    .update(key.export({ type: 'spki', format: 'der' }))
    .digest('hex')

const pemText = (pem: string): string => `${pem.trimEnd()}\n`
