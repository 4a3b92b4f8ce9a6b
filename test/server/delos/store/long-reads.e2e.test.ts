import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as grpc from '@grpc/grpc-js'
import type protobuf from 'protobufjs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { NOBODY, type KvCommand } from '../../../../src/core/delos/kv/command.ts'
import { isRpcError } from '../../../../src/core/delos/kv/errors.ts'
import { createStore } from '../../../../src/core/delos/kv/store.ts'
import type { RangeResponse } from '../../../../src/core/delos/wire/messages.ts'
import { METHODS } from '../../../../src/core/delos/wire/methods.ts'
import { createLogger } from '../../../../src/platform/logger.ts'
import { openEtcdPort, type EtcdPort } from '../../../../src/server/delos/etcd/port.ts'
import { answerRoom } from '../../../../src/server/delos/store/answer-room.ts'
import { kvService } from '../../../../src/server/delos/store/kv-service.ts'
import { LongReads } from '../../../../src/server/delos/store/long-reads.ts'
import { startMaterialiser } from '../../../../src/server/delos/store/materialiser.ts'
import { rangeStreams, type RangeStreams } from '../../../../src/server/delos/store/range-stream.ts'
import { openReplica, type Replica } from '../../../../src/server/delos/store/replica.ts'
import { EMPTY_CURSOR } from '../../../../src/server/delos/store/rows-file.ts'
import { openFileLog } from '../../../support/file-log.ts'
import { loadEtcdProto } from '../../../core/delos/wire/etcd-proto.ts'
import { rangeOf } from '../../../core/delos/kv/requests.ts'

const MIB = 1_048_576
/** Of 200 kB: more than the sixteen messages that grpc-js takes ahead of its reader, and what windows and sockets hold besides. */
const LARGE = 160
const SMALL = 60_000
const root = loadEtcdProto()
const LIKE_JSON = { longs: String, enums: String }
const dir = mkdtempSync(join(tmpdir(), 'muster-long-reads-'))

let replica: Replica
let port: EtcdPort
let streams: RangeStreams
let client: grpc.Client
const longReads = new LongReads()
const room = answerRoom(() => longReads.bytes)

const put = (key: string, value: Uint8Array): KvCommand & { kind: 'put' } => ({
  kind: 'put',
  request: { key, value, lease: 0n, prev_kv: false, ignore_value: false, ignore_lease: false },
  who: NOBODY,
})
const write = (command: KvCommand): Promise<void> =>
  new Promise((resolve, reject) => replica.submit(command, null, (error) => (error === null ? resolve() : reject(new Error(error.text)))))

/** How grpc-js sends and reads a call, with protobufjs: none of it is ours. */
function wire(name: 'KV/Range' | 'KV/RangeStream') {
  const { path, request, response } = METHODS[name]
  const [from, to] = [root.lookupType(request.schema.name), root.lookupType(response.schema.name)] as [protobuf.Type, protobuf.Type]
  return {
    path,
    write: (message: object) => Buffer.from(from.encode(from.fromObject(message)).finish()),
    read: (bytes: Buffer) => ({ bytes: bytes.length, message: to.toObject(to.decode(bytes), LIKE_JSON) as never }),
  }
}
const prefix = (name: string): object => ({ key: Buffer.from(`${name}/`), range_end: Buffer.from(`${name}0`) })

interface Chunk {
  bytes: number
  message: { range_response: { header?: { revision: string }; kvs?: object[]; more?: boolean; count?: string } }
}

const openStream = (request: object): grpc.ClientReadableStream<Chunk> => {
  const { path, write: encode, read } = wire('KV/RangeStream')
  return client.makeServerStreamRequest(path, encode, read, request)
}
const all = async (stream: AsyncIterable<Chunk>): Promise<Chunk[]> => {
  const chunks: Chunk[] = []
  for await (const chunk of stream) chunks.push(chunk)
  return chunks
}
const whole = (request: object): Promise<{ bytes: number; message: RangeResponse }> =>
  new Promise((resolve, reject) => {
    const { path, write: encode, read } = wire('KV/Range')
    client.makeUnaryRequest(path, encode, read, request, (error, answer) => (error === null ? resolve(answer as never) : reject(error)))
  })

beforeAll(async () => {
  const logger = createLogger(null)
  const log = await openFileLog(join(dir, 'log'), { segmentBytes: 64 * MIB, onFatal: () => undefined })
  replica = openReplica({
    log,
    store: createStore({}),
    cursor: EMPTY_CURSOR,
    materialiser: startMaterialiser(join(dir, 'kv.db'), logger),
    logger,
    now: () => 1000,
    onFatal: () => undefined,
  })
  for (let i = 0; i < LARGE; i += 20)
    await Promise.all(Array.from({ length: 20 }, (_, j) => write(put(`large/${i + j + 1000}`, new Uint8Array(200_000).fill(i + j)))))
  await Promise.all(Array.from({ length: SMALL }, (_, i) => write(put(`small/${i + 100_000}`, new Uint8Array([i])))))
  const headers = { clusterId: 7n, memberId: 8n, term: () => 1 }
  const identify = (): typeof NOBODY => NOBODY
  streams = rangeStreams(replica, identify, headers, longReads)
  const service = { ...kvService(replica, identify, headers, () => null, room, longReads), 'KV/RangeStream': streams.handle }
  port = await openEtcdPort({ host: '127.0.0.1', port: 0, service, pages: {} })
  client = new grpc.Client(`localhost:${port.port}`, grpc.credentials.createInsecure(), { 'grpc.max_receive_message_length': -1 })
}, 120_000)
afterAll(async () => {
  client.close()
  await port.close(200)
  await replica.close()
  rmSync(dir, { recursive: true, force: true })
})

/** Values as text: buffers are compared byte by byte, slowly. */
const plain = (message: object): object => {
  const { kvs } = message as { kvs: { value: Buffer }[] }
  return { ...message, kvs: kvs.map((kv) => ({ ...kv, value: kv.value.toString('latin1') })) }
}

const until = async (isSo: () => boolean): Promise<void> => {
  while (!isSo()) await new Promise((resolve) => setTimeout(resolve, 5))
}

describe('a stream of keys', () => {
  test('put together is what Range answers, in messages of about a mebibyte, of which the last alone has the header and the count', async () => {
    const chunks = await all(openStream(prefix('large')))
    expect(chunks.length).toBeGreaterThan(9)
    for (const { bytes } of chunks) expect(bytes).toBeLessThan(MIB + 250_000)
    const parts = chunks.map(({ message }) => message.range_response)
    for (const part of parts.slice(0, -1)) expect(Object.keys(part)).toEqual(['kvs'])
    const merged = Object.assign({}, ...parts, { kvs: parts.flatMap(({ kvs }) => kvs ?? []) }) as object
    expect(plain(merged)).toEqual(plain((await whole(prefix('large'))).message))
    const limited = await all(openStream({ ...prefix('small'), limit: 3 }))
    expect(limited).toHaveLength(1)
    expect(limited[0]?.message.range_response).toMatchObject({ more: true, count: String(SMALL) })
  }, 120_000)

  test('of whose reader nothing is taken has one message ahead of it; it shows one revision when it goes on, and cancelling frees it', async () => {
    const stream = openStream(prefix('large'))
    stream.on('error', () => undefined)
    const iterator = stream[Symbol.asyncIterator]()
    const first = ((await iterator.next()) as IteratorResult<Chunk, never>).value
    await until(() => port.stats().heldBytes > 0)
    for (let i = 0; i < 20; i += 1) {
      await write(put(`large/${1000 + LARGE - 1}`, new Uint8Array([i])))
      // One message, and what the sockets and windows between the two hold besides.
      expect(port.stats().heldBytes).toBeLessThan(4 * MIB)
    }
    expect([streams.count(), longReads.waiting]).toEqual([1, 0])
    let last = first
    for (let step = await iterator.next(); step.done !== true; step = await iterator.next()) last = step.value as Chunk
    const { kvs = [], header } = last.message.range_response
    expect((kvs.at(-1) as { value: Buffer }).value).toHaveLength(200_000)
    expect(Number(header?.revision)).toBeLessThan(replica.store.revision)
    expect(streams.count()).toBe(0)
    const other = openStream(prefix('large'))
    other.on('error', () => undefined)
    await until(() => streams.count() === 1)
    other.cancel()
    await until(() => streams.count() === 0 && port.stats().heldBytes === 0)
    await write(put(`large/${1000 + LARGE - 1}`, new Uint8Array(200_000)))
  }, 120_000)

  test('in another order is none, so that clients ask for the whole', async () => {
    await expect(all(openStream({ ...prefix('small'), sort_order: 2 }))).rejects.toMatchObject({ code: grpc.status.UNIMPLEMENTED })
    await expect(all(openStream({ ...prefix('small'), revision: 1_000_000 }))).rejects.toMatchObject({ code: grpc.status.OUT_OF_RANGE })
  })
})

describe('long answers', () => {
  /** Turns of the event loop from asking until the answer is there. */
  async function turnsOf(work: (done: () => void) => void): Promise<number> {
    let turns = 0
    let isDone = false
    const turn = (): void => {
      turns += 1
      if (!isDone) setImmediate(turn)
    }
    setImmediate(turn)
    await new Promise<void>((resolve) => work(resolve))
    isDone = true
    return turns
  }

  test('are found in slices, one in a turn whoever asks, and a reader who is gone has none', async () => {
    const read = (done: () => void): void => {
      const reading = replica.store.openRange(rangeOf('small/', { range_end: 'small0' }), NOBODY)
      if (isRpcError(reading)) throw new Error(reading.text)
      longReads.read(reading, { isWanted: () => true, room }, (answer) => {
        expect(answer).toMatchObject({ count: SMALL })
        done()
      })
    }
    const once = await turnsOf(read)
    expect(once).toBeGreaterThanOrEqual(SMALL / 10_000 - 1)
    const four = await turnsOf((done) => {
      let left = 4
      for (let i = 0; i < 4; i += 1)
        read(() => {
          left -= 1
          if (left === 0) done()
        })
    })
    // The slices of several readings do not add up to a long turn.
    expect(four).toBeGreaterThanOrEqual(4 * (once - 2))
    const reading = replica.store.openRange(rangeOf('small/', { range_end: 'small0' }), NOBODY)
    if (isRpcError(reading)) throw new Error(reading.text)
    let isWanted = true
    longReads.read(reading, { isWanted: () => isWanted, room }, () => expect.unreachable('nobody waits for it'))
    expect(longReads.waiting).toBe(1)
    expect(longReads.bytes).toBeGreaterThan(0)
    isWanted = false
    await until(() => longReads.waiting === 0)
    expect(longReads.bytes).toBe(0)
  })

  test('are encoded as they are read: a reader who takes nothing makes the server hold what is promised, not the bytes', async () => {
    const { path, write: encode, read } = wire('KV/Range')
    let answered = false
    const call = client.makeUnaryRequest(path, encode, read, prefix('large'), () => (answered = true))
    await until(() => port.stats().heldBytes > 0 || answered)
    call.cancel()
    await until(() => port.stats().heldBytes === 0)
    const { message, bytes } = await whole(prefix('large'))
    expect([message.kvs.length, bytes > LARGE * 199_000]).toEqual([LARGE, true])
  }, 60_000)
})
