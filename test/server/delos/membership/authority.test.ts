import { X509Certificate } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createLogger } from '../../../../src/platform/logger.ts'
import { openAuthority, type Authority } from '../../../../src/server/delos/membership/authority.ts'
import { serverIdOf } from '../../../../src/platform/certificate-uri.ts'

let keysDir: string
beforeEach(() => {
  keysDir = mkdtempSync(join(tmpdir(), 'muster-authority-'))
})
afterEach(() => rmSync(keysDir, { recursive: true, force: true }))

const idOf = (n: number): string => n.toString(16).padStart(16, '0')
const open = (server: number): Authority =>
  openAuthority({
    keysDir,
    identity: { cluster: idOf(9), server: idOf(server), name: 'a' },
    hosts: () => [],
    now: Date.now,
    logger: createLogger(null),
  })

test('a server takes its certificate up again, and makes another one when it is of another server, as in a restored state', async () => {
  const first = open(1)
  const { cert } = await first.tls()
  first.stop()
  const again = open(1)
  expect((await again.tls()).cert).toEqual(cert)
  again.stop()
  const restored = open(2)
  const own = await restored.tls()
  restored.stop()
  expect(serverIdOf(new X509Certificate(own.cert))).toBe(2n)
  expect(new X509Certificate(own.cert).verify(new X509Certificate(own.ca).publicKey)).toBe(true)
  expect(await restored.fingerprint()).toBe(await first.fingerprint())
})
