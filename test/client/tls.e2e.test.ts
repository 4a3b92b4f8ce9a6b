import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { connect } from '../../src/client/connect.ts'
import { only, rangeRequest } from '../../src/core/delos/recipes/etcd/request.ts'
import { newDelosServers } from '../support/delos-servers.ts'
import { eventually } from '../support/eventually.ts'

const hasOpenssl = spawnSync('openssl', ['version']).status === 0

test.skipIf(!hasOpenssl)(
  `a server with a certificate is spoken to, calls and watches, if its authority is known${hasOpenssl ? '' : ' (openssl is not installed)'}`,
  { timeout: 120_000 },
  async () => {
    const dir = mkdtempSync(join(tmpdir(), 'muster-tls-'))
    const [cert, key] = [join(dir, 'cert.pem'), join(dir, 'key.pem')]
    const subject = ['-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1']
    spawnSync('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '1', '-keyout', key, '-out', cert, ...subject])
    const cluster = await newDelosServers(1, ['--cert-file', cert, '--key-file', key], { client: 'https', peer: 'http' })
    const [server] = cluster.servers
    const url = server?.url ?? ''
    try {
      server?.start()
      const known = connect({ endpoints: [url], tls: { ca: readFileSync(cert, 'utf8') } })
      const put = { key: 'k', value: new Uint8Array([1]), lease: 0n, prev_kv: false, ignore_value: false, ignore_lease: false }
      const { header } = await eventually('the put', 20_000, () => known.put(put))
      const told = await known.watch(only('k'), { from: header.revision }, AbortSignal.timeout(10_000)).next()
      expect(told.value).toMatchObject({ revision: header.revision })
      const stranger = connect({ endpoints: [url] })
      await expect(stranger.range(rangeRequest(only('k')))).rejects.toThrow(/certificate/)
      known.close()
      stranger.close()
    } finally {
      await cluster.remove()
      rmSync(dir, { recursive: true, force: true })
    }
  },
)
