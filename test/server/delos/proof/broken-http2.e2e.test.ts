import { createConnection } from 'node:net'
import { expect, test } from 'vitest'
import { connect } from '../../../../src/client/connect.ts'
import { under } from '../../../../src/core/delos/recipes/etcd/request.ts'
import { newDelosServers, putKey, type DelosServerProcess } from '../../../support/delos-servers.ts'
import { eventually } from '../../../support/eventually.ts'

const HELLO: Buffer = Buffer.concat([Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0])])

function frame(type: number, flags: number, stream: number, payload: Uint8Array = new Uint8Array(0)): Buffer {
  const head = Buffer.alloc(9)
  head.writeUIntBE(payload.length, 0, 3)
  head[3] = type
  head[4] = flags
  head.writeUInt32BE(stream, 5)
  return Buffer.concat([head, payload])
}

/** What a server says to these bytes until it closes: the code of its GOAWAY, RFC 9113 section 7; null without one. */
function goAwayTo(port: number, bytes: Uint8Array): Promise<number | null> {
  return new Promise((resolve) => {
    const socket = createConnection({ host: '127.0.0.1', port })
    const heard: Buffer[] = []
    socket.on('data', (chunk: Buffer) => heard.push(chunk)).on('error', () => undefined)
    socket.on('close', () => {
      const all = Buffer.concat(heard)
      let code: number | null = null
      for (let at = 0; at + 9 <= all.length; at += 9 + all.readUIntBE(at, 3)) if (all[at + 3] === 7) code = all.readUInt32BE(at + 13)
      resolve(code)
    })
    socket.write(bytes)
  })
}

/** `:method POST`, `:scheme http`, `:path /etcdserverpb.KV/Range`, `content-type application/grpc`, `te trailers`, without Huffman coding. */
function requestBlock(): Buffer {
  const text = (value: string): Buffer => Buffer.concat([Buffer.from([value.length]), Buffer.from(value)])
  const fields = [Buffer.from([0x83, 0x86, 0x04]), text('/etcdserverpb.KV/Range'), Buffer.from([0x0f, 0x10]), text('application/grpc')]
  return Buffer.concat([...fields, Buffer.from([0x00]), text('te'), text('trailers')])
}

const [PROTOCOL, FRAME_SIZE, COMPRESSION, CALM] = [1, 6, 9, 11]

const ATTACKS: [string, () => Buffer, number][] = [
  ['a frame longer than allowed', () => Buffer.concat([HELLO, frame(0, 0, 1, new Uint8Array(16_385))]), FRAME_SIZE],
  ['DATA on a stream that was never opened', () => Buffer.concat([HELLO, frame(0, 0, 1, new Uint8Array(1))]), PROTOCOL],
  ['a header block that is none', () => Buffer.concat([HELLO, frame(1, 4, 1, Buffer.from([0xff, 0xff]))]), COMPRESSION],
  [
    'an HPACK bomb: an entry of 4 KB, and 100 references to it',
    () => {
      const entry = Buffer.concat([Buffer.from([0x40, 1, 0x61, 0x7f, 0xa1, 0x1e]), new Uint8Array(4000)])
      return Buffer.concat([HELLO, frame(1, 4, 1, Buffer.concat([entry, Buffer.alloc(100, 0xbe)]))])
    },
    CALM,
  ],
  [
    'a reset flood: 1,000 calls opened and reset at once',
    () => {
      const frames = [HELLO]
      for (let i = 0; i < 1000; i += 1)
        frames.push(frame(1, 4, 1 + 2 * i, requestBlock()), frame(3, 0, 1 + 2 * i, Buffer.from([0, 0, 0, 8])))
      return Buffer.concat(frames)
    },
    CALM,
  ],
  ['a flood of PING', () => Buffer.concat([HELLO, ...Array.from({ length: 1500 }, () => frame(6, 0, 0, new Uint8Array(8)))]), CALM],
  ['a flood of SETTINGS', () => Buffer.concat([HELLO, ...Array.from({ length: 1500 }, () => frame(4, 0, 0))]), CALM],
]

test('attacks on HTTP/2 end their own connections with the code, are counted, and no other client is touched', async () => {
  const cluster = await newDelosServers(1)
  const { url, start } = cluster.servers[0] as DelosServerProcess
  const seen: string[] = []
  const done = new AbortController()
  const client = connect({ endpoints: [url] })
  try {
    start()
    await cluster.healthy()
    const watching = (async () => {
      for await (const { events } of client.watch(under('w'), { from: 1 }, done.signal)) for (const { kv } of events) seen.push(kv.key)
    })()
    const wanted: string[] = []
    const port = Number(new URL(url).port)
    for (const [name, bytes, code] of ATTACKS) {
      const attacking = Promise.all([1, 2, 3].map(() => goAwayTo(port, bytes())))
      const key = `w/${wanted.length}`
      expect(await putKey(url, key, name)).not.toBeNull()
      wanted.push(key)
      expect([name, await attacking]).toEqual([name, [code, code, code]])
    }
    await eventually('the watch has all of it', 20_000, () => seen.length >= wanted.length)
    expect(seen).toEqual(wanted)
    // A connection is counted when it is closed on the server's side, which may be after its client saw it end.
    await eventually('all are counted', 20_000, async () => {
      const metrics = await (await fetch(`${url}/metrics`)).text()
      const broken = [...metrics.matchAll(/^muster_delos_connections_broken_total\{.*\} (\d+)$/gm)]
      return broken.reduce((sum, [, count]) => sum + Number(count), 0) === ATTACKS.length * 3
    })
    done.abort()
    await watching
  } finally {
    done.abort()
    client.close()
    await cluster.remove()
  }
}, 180_000)
