import { ByteWriter } from '../../../kernel/protobuf/byte-writer.ts'
import type * as m from '../messages.ts'
import { override, tableCodec, type Codec } from '../../../kernel/protobuf/codec.ts'
import { lengthOf, piecesOf, type Part } from './pieces.ts'
import { NO_BYTES, type Reader } from '../../../kernel/protobuf/reader.ts'
import type { Schema } from '../../../kernel/protobuf/schema.ts'
import * as kv from './schemas/kv.ts'
import { WATCH_RESPONSE } from './schemas/watch.ts'

/**
 * Codecs written out by hand for the messages that cross the wire a hundred thousand times a second. They take a half to two
 * thirds of the tables' time, read and write what the tables say, and a property test holds them to it.
 */

type Read<Message> = (reader: Reader) => Message
type Write<Message> = (writer: ByteWriter, message: Message) => void

function tuned<Message>(schema: Schema<Message>, hand: Partial<Pick<Codec<Message>, 'read' | 'write' | 'pieces'>>): Codec<Message> {
  return override({ ...tableCodec(schema), ...hand })
}

function nested<Message>(reader: Reader, read: Read<Message>): Message {
  const outer = reader.enter()
  const message = read(reader)
  reader.leave(outer)
  return message
}

function writeNested<Message>(writer: ByteWriter, tag: number, message: Message, write: Write<Message>): void {
  writer.byte(tag)
  const mark = writer.begin()
  write(writer, message)
  writer.end(mark)
}

function writeInt(writer: ByteWriter, tag: number, value: number): void {
  if (value === 0) return
  writer.byte(tag)
  writer.varint(value)
}

function writeKey(writer: ByteWriter, tag: number, key: string): void {
  if (key === '') return
  writer.byte(tag)
  writer.varint(key.length)
  writer.byteString(key)
}

// ------------------------------------------------------------------------------------------------------ requests

const readPut: Read<m.PutRequest> = (reader) => {
  let key = ''
  let value: Uint8Array = NO_BYTES
  let lease = 0n
  let [prev_kv, ignore_value, ignore_lease] = [false, false, false]
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag === 0x0a) key = reader.byteString()
    else if (tag === 0x12) value = reader.view()
    else if (tag === 0x18) lease = reader.int64()
    else if (tag === 0x20) prev_kv = reader.bool()
    else if (tag === 0x28) ignore_value = reader.bool()
    else if (tag === 0x30) ignore_lease = reader.bool()
    else unknown(reader, tag, 6)
  }
  return { key, value, lease, prev_kv, ignore_value, ignore_lease }
}

const readRange: Read<m.RangeRequest> = (reader) => {
  const range: m.RangeRequest = {
    key: '',
    range_end: '',
    limit: 0,
    revision: 0,
    sort_order: 0,
    sort_target: 0,
    serializable: false,
    keys_only: false,
    count_only: false,
    min_mod_revision: 0,
    max_mod_revision: 0,
    min_create_revision: 0,
    max_create_revision: 0,
  }
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag === 0x0a) range.key = reader.byteString()
    else if (tag === 0x12) range.range_end = reader.byteString()
    else if (tag === 0x18) range.limit = reader.int()
    else if (tag === 0x20) range.revision = reader.int()
    else if (tag === 0x28) range.sort_order = reader.int32()
    else if (tag === 0x30) range.sort_target = reader.int32()
    else if (tag === 0x38) range.serializable = reader.bool()
    else if (tag === 0x40) range.keys_only = reader.bool()
    else if (tag === 0x48) range.count_only = reader.bool()
    else if (tag === 0x50) range.min_mod_revision = reader.int()
    else if (tag === 0x58) range.max_mod_revision = reader.int()
    else if (tag === 0x60) range.min_create_revision = reader.int()
    else if (tag === 0x68) range.max_create_revision = reader.int()
    else unknown(reader, tag, 13)
  }
  return range
}

const readDeleteRange: Read<m.DeleteRangeRequest> = (reader) => {
  let [key, range_end, prev_kv] = ['', '', false]
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag === 0x0a) key = reader.byteString()
    else if (tag === 0x12) range_end = reader.byteString()
    else if (tag === 0x18) prev_kv = reader.bool()
    else unknown(reader, tag, 3)
  }
  return { key, range_end, prev_kv }
}

const readCompare: Read<m.Compare> = (reader) => {
  let [result, target, key, range_end] = [0, 0, '', '']
  let union: Partial<Pick<m.Compare, 'version' | 'create_revision' | 'mod_revision' | 'value' | 'lease'>> = {}
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag === 0x08) result = reader.int32()
    else if (tag === 0x10) target = reader.int32()
    else if (tag === 0x1a) key = reader.byteString()
    else if (tag === 0x20) union = { version: reader.int() }
    else if (tag === 0x28) union = { create_revision: reader.int() }
    else if (tag === 0x30) union = { mod_revision: reader.int() }
    else if (tag === 0x3a) union = { value: reader.view() }
    else if (tag === 0x40) union = { lease: reader.int64() }
    else if (tag === 0x202) range_end = reader.byteString()
    else unknown(reader, tag, tag >>> 3 === 64 ? 64 : 8)
  }
  const { version = null, create_revision = null, mod_revision = null, value = null, lease = null } = union
  return { version, create_revision, mod_revision, value, lease, result, target, key, range_end }
}

const readRequestOp: Read<m.RequestOp> = (reader) => {
  let op: m.RequestOp = { request_range: null, request_put: null, request_delete_range: null, request_txn: null }
  const none = op
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag === 0x0a) op = { ...none, request_range: nested(reader, readRange) }
    else if (tag === 0x12) op = { ...none, request_put: nested(reader, readPut) }
    else if (tag === 0x1a) op = { ...none, request_delete_range: nested(reader, readDeleteRange) }
    else if (tag === 0x22) op = { ...none, request_txn: nested(reader, readTxn) }
    else unknown(reader, tag, 4)
  }
  return op
}

const readTxn: Read<m.TxnRequest> = (reader) => {
  const txn: m.TxnRequest = { compare: [], success: [], failure: [] }
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag === 0x0a) txn.compare.push(nested(reader, readCompare))
    else if (tag === 0x12) txn.success.push(nested(reader, readRequestOp))
    else if (tag === 0x1a) txn.failure.push(nested(reader, readRequestOp))
    else unknown(reader, tag, 3)
  }
  return txn
}

/** A number above `known` is skipped; a known one came here with a wrong wire type. */
function unknown(reader: Reader, tag: number, known: number): void {
  if (tag >>> 3 <= known && tag >= 8) reader.fail()
  else reader.skip(tag)
}

// ------------------------------------------------------------------------------------------------------ responses

/** Cluster and member of a header are the same in every response of a server: their bytes are kept. */
let idsOf = { cluster: 0n, member: 0n, bytes: NO_BYTES }
const plainHeader = tableCodec(kv.RESPONSE_HEADER)

const writeHeader: Write<m.ResponseHeader> = (writer, header) => {
  if (header.cluster_id !== idsOf.cluster || header.member_id !== idsOf.member) {
    const start = writer.at
    plainHeader.write(writer, { ...header, revision: 0, raft_term: 0 })
    idsOf = { cluster: header.cluster_id, member: header.member_id, bytes: writer.bytes.slice(start, writer.at) }
  } else writer.raw(idsOf.bytes)
  writeInt(writer, 0x18, header.revision)
  writeInt(writer, 0x20, header.raft_term)
}

const writeKeyValue: Write<m.KeyValue> = (writer, { key, create_revision, mod_revision, version, value, lease }) => {
  writeKey(writer, 0x0a, key)
  writeInt(writer, 0x10, create_revision)
  writeInt(writer, 0x18, mod_revision)
  writeInt(writer, 0x20, version)
  if (value.length > 0) {
    writer.byte(0x2a)
    writer.varint(value.length)
    writer.raw(value)
  }
  if (lease !== 0n) {
    writer.byte(0x30)
    writer.bigVarint(lease)
  }
}

const writePutResponse: Write<m.PutResponse> = (writer, { header, prev_kv }) => {
  writeNested(writer, 0x0a, header, writeHeader)
  if (prev_kv !== null) writeNested(writer, 0x12, prev_kv, writeKeyValue)
}

const writeRange: Write<m.RangeChunk> = (writer, { header, kvs, more, count }) => {
  if (header !== null) writeNested(writer, 0x0a, header, writeHeader)
  for (const one of kvs) writeNested(writer, 0x12, one, writeKeyValue)
  if (more) writeInt(writer, 0x18, 1)
  writeInt(writer, 0x20, count)
}

const writeDeleteRangeResponse: Write<m.DeleteRangeResponse> = (writer, { header, deleted, prev_kvs }) => {
  writeNested(writer, 0x0a, header, writeHeader)
  writeInt(writer, 0x10, deleted)
  for (const one of prev_kvs) writeNested(writer, 0x1a, one, writeKeyValue)
}

const writeResponseOp: Write<m.ResponseOp> = (writer, { response_range, response_put, response_delete_range, response_txn }) => {
  if (response_range !== null) writeNested(writer, 0x0a, response_range, writeRange)
  if (response_put !== null) writeNested(writer, 0x12, response_put, writePutResponse)
  if (response_delete_range !== null) writeNested(writer, 0x1a, response_delete_range, writeDeleteRangeResponse)
  if (response_txn !== null) writeNested(writer, 0x22, response_txn, writeTxnResponse)
}

const writeTxnResponse: Write<m.TxnResponse> = (writer, { header, succeeded, responses }) => {
  writeNested(writer, 0x0a, header, writeHeader)
  if (succeeded) writeInt(writer, 0x10, 1)
  for (const one of responses) writeNested(writer, 0x1a, one, writeResponseOp)
}

const writeEvent: Write<m.Event> = (writer, { type, kv: now, prev_kv }) => {
  writeInt(writer, 0x08, type)
  writeNested(writer, 0x12, now, writeKeyValue)
  if (prev_kv !== null) writeNested(writer, 0x1a, prev_kv, writeKeyValue)
}

/** A list of events goes to all who watch, one after the other: from the second time on its bytes are kept. */
let eventsOf: { events: readonly m.Event[]; bytes: Uint8Array | null } = { events: [], bytes: NO_BYTES }

function writeEvents(writer: ByteWriter, events: readonly m.Event[]): void {
  if (eventsOf.events === events && eventsOf.bytes !== null) return writer.raw(eventsOf.bytes)
  const start = writer.at
  for (const event of events) writeNested(writer, 0x5a, event, writeEvent)
  eventsOf = { events, bytes: eventsOf.events === events ? writer.bytes.slice(start, writer.at) : null }
}

const writeWatchResponse: Write<m.WatchResponse> = (writer, response) => {
  writeNested(writer, 0x0a, response.header, writeHeader)
  writeInt(writer, 0x10, response.watch_id)
  if (response.created) writeInt(writer, 0x18, 1)
  if (response.canceled) writeInt(writer, 0x20, 1)
  writeInt(writer, 0x28, response.compact_revision)
  if (response.cancel_reason !== '') {
    writer.byte(0x32)
    const mark = writer.begin()
    writer.text(response.cancel_reason)
    writer.end(mark)
  }
  if (response.fragment) writeInt(writer, 0x38, 1)
  if (response.events.length > 0) writeEvents(writer, response.events)
}

// ------------------------------------------------------------------------------------------------------ long ones

function parts(write: (writer: ByteWriter) => void): Part[] {
  const writer = new ByteWriter(256)
  write(writer)
  return writer.length === 0 ? [] : [writer.take()]
}

const pairRun = (tag: number, pairs: readonly m.KeyValue[]): Part[] => (pairs.length === 0 ? [] : [{ tag, pairs, write: writeKeyValue }])

function rangeParts({ header, kvs, more, count }: m.RangeChunk): Part[] {
  return [
    ...(header === null ? [] : parts((writer) => writeNested(writer, 0x0a, header, writeHeader))),
    ...pairRun(0x12, kvs),
    ...parts((writer) => {
      if (more) writeInt(writer, 0x18, 1)
      writeInt(writer, 0x20, count)
    }),
  ]
}

function deleteRangeParts({ header, deleted, prev_kvs }: m.DeleteRangeResponse): Part[] {
  return [
    ...parts((writer) => {
      writeNested(writer, 0x0a, header, writeHeader)
      writeInt(writer, 0x10, deleted)
    }),
    ...pairRun(0x1a, prev_kvs),
  ]
}

function txnParts({ header, succeeded, responses }: m.TxnResponse): Part[] {
  const own = parts((writer) => {
    writeNested(writer, 0x0a, header, writeHeader)
    if (succeeded) writeInt(writer, 0x10, 1)
  })
  return [...own, ...responses.flatMap((one) => nestedParts(0x1a, responseOpParts(one)))]
}

function responseOpParts({ response_range, response_put, response_delete_range, response_txn }: m.ResponseOp): Part[] {
  if (response_range !== null) return nestedParts(0x0a, rangeParts(response_range))
  if (response_put !== null) return parts((writer) => writeNested(writer, 0x12, response_put, writePutResponse))
  if (response_delete_range !== null) return nestedParts(0x1a, deleteRangeParts(response_delete_range))
  return response_txn === null ? [] : nestedParts(0x22, txnParts(response_txn))
}

function nestedParts(tag: number, inner: readonly Part[]): Part[] {
  const head = parts((writer) => {
    writer.byte(tag)
    writer.varint(lengthOf(inner))
  })
  return [...head, ...inner]
}

tuned(kv.PUT_REQUEST, { read: readPut })
tuned(kv.RANGE_REQUEST, { read: readRange })
tuned(kv.DELETE_RANGE_REQUEST, { read: readDeleteRange })
tuned(kv.COMPARE, { read: readCompare })
tuned(kv.REQUEST_OP, { read: readRequestOp })
tuned(kv.TXN_REQUEST, { read: readTxn })
tuned(kv.RESPONSE_HEADER, { write: writeHeader })
tuned(kv.KEY_VALUE, { write: writeKeyValue })
tuned(kv.PUT_RESPONSE, { write: writePutResponse })
tuned<m.RangeResponse>(kv.RANGE_RESPONSE, { write: writeRange, pieces: (message) => piecesOf(message, rangeParts) })
tuned(kv.RANGE_CHUNK, { write: writeRange })
tuned(kv.RANGE_STREAM_RESPONSE, {
  pieces: ({ range_response }) => piecesOf(range_response, (found) => nestedParts(0x0a, rangeParts(found))),
})
tuned(kv.DELETE_RANGE_RESPONSE, { write: writeDeleteRangeResponse, pieces: (message) => piecesOf(message, deleteRangeParts) })
tuned(kv.RESPONSE_OP, { write: writeResponseOp })
tuned(kv.TXN_RESPONSE, { write: writeTxnResponse, pieces: (message) => piecesOf(message, txnParts) })
tuned(kv.EVENT, { write: writeEvent })
tuned(WATCH_RESPONSE, { write: writeWatchResponse })
