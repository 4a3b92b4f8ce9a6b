import type { ByteWriter } from './byte-writer.ts'
import { NO_BYTES, Reader } from './reader.ts'
import type { Field, Kind, Schema } from './schema.ts'

/** A long message, encoded as its reader takes it. */
export interface Pieces {
  /** of the whole message, bytes */
  readonly length: number
  /** The next bytes, which are never written again; null: that was all. */
  next(): Uint8Array | null
}

/** How one kind of message becomes bytes and back. */
export interface Codec<Message> {
  readonly schema: Schema<Message>
  /** A message with every field at its default. */
  make(): Message
  /** Reads up to the reader's end; look at `failed` afterwards. A later value of a field wins, nested messages included. */
  read(reader: Reader): Message
  /** Writes the fields alone, without a length. Fields at their default are left out. */
  write(writer: ByteWriter, message: Message): void
  /** The same a piece at a time, for a message that may be long; null: this one is short. */
  pieces?(message: Message): Pieces | null
}

/** Null if the bytes are no such message. Byte fields are views of `bytes`: who keeps one for long, or changes `bytes`, copies it first. */
export function decode<Message>(codec: Codec<Message>, bytes: Uint8Array): Message | null {
  const reader = new Reader(bytes)
  const message = codec.read(reader)
  return reader.failed ? null : message
}

type Values = Record<string, unknown>

interface Row extends Field<unknown> {
  readonly name: string
  /** the tag this field is written with */
  readonly tag: number
  readonly codec: () => Codec<unknown>
  /** names of the other fields of its oneof */
  others: readonly string[]
}

/** Of a field that is not packed (Protocol Buffers, "Encoding"). */
const WIRE_TYPE: Record<Kind, number> = {
  ...{ key: 2, text: 2, view: 2, message: 2 },
  ...{ bool: 0, int: 0, uint: 0, uint32: 0, sint32: 0, int64: 0, uint64: 0, enum: 0 },
  ...{ double: 1, fixed64: 1, sfixed64: 1, fixed32: 5 },
}
const DELIMITED = 2
const isDelimited = (kind: Kind): boolean => WIRE_TYPE[kind] === DELIMITED

const codecs = new Map<unknown, Codec<never>>()

/** The codec that follows the table; one for each schema, hand-written ones (`override`) first. */
export function codecOf<Message>(schema: Schema<Message>): Codec<Message> {
  const known = codecs.get(schema) as Codec<Message> | undefined
  if (known !== undefined) return known
  const codec = tableCodec(schema)
  codecs.set(schema, codec as unknown as Codec<never>)
  return codec
}

/** Lets a hand-tuned codec take the place of the table's, also where its message is nested in another. */
export function override<Message>(codec: Codec<Message>): Codec<Message> {
  codecs.set(codec.schema, codec as unknown as Codec<never>)
  return codec
}

export function tableCodec<Message>(schema: Schema<Message>): Codec<Message> {
  const rows = rowsOf(schema)
  const byNumber: (Row | undefined)[] = []
  for (const row of rows) byNumber[row.number] = row
  const template: Values = {}
  for (const row of rows) template[row.name] = defaultOf(row)
  const lists = rows.filter((row) => row.isRepeated).map((row) => row.name)
  const nested = rows.filter((row) => row.kind === 'message' && !row.isOptional && !row.isRepeated)

  const make = (): Values => {
    const made: Values = { ...template }
    for (const name of lists) made[name] = []
    for (const row of nested) made[row.name] = row.codec().make()
    return made
  }

  return {
    schema,
    make: make as () => Message,
    read(reader) {
      const made = make()
      for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
        const row = byNumber[tag >>> 3]
        if (row === undefined) reader.skip(tag)
        else readField(reader, row, tag & 7, made)
      }
      return made as Message
    },
    write(writer, message) {
      for (const row of rows) writeField(writer, row, (message as Values)[row.name])
    },
  }
}

function rowsOf<Message>(schema: Schema<Message>): Row[] {
  const rows = Object.entries(schema.fields as Record<string, Field<unknown>>)
    .map(([name, one]): Row => {
      const isPacked = one.isRepeated && !isDelimited(one.kind)
      const type = isPacked ? DELIMITED : WIRE_TYPE[one.kind]
      return { ...one, name, tag: one.number * 8 + type, codec: nestedCodec(one), others: [] }
    })
    .toSorted((a, b) => a.number - b.number)
  for (const row of rows) {
    if (row.oneof !== '') row.others = rows.filter((other) => other.oneof === row.oneof && other !== row).map((other) => other.name)
  }
  return rows
}

/** Looked up at first use: messages may hold themselves, and a hand-tuned codec may come later. */
function nestedCodec(one: Field<unknown>): () => Codec<unknown> {
  let codec: Codec<unknown> | null = null
  return () => (codec ??= codecOf(one.schema?.() as Schema<unknown>))
}

function defaultOf(row: Row): unknown {
  if (row.isRepeated || row.isOptional || row.kind === 'message') return null
  if (row.kind === 'key' || row.kind === 'text') return ''
  if (row.kind === 'view') return NO_BYTES
  if (row.kind === 'bool') return false
  return isBig(row.kind) ? 0n : 0
}

const isBig = (kind: Kind): boolean => kind === 'int64' || kind === 'uint64' || kind === 'fixed64' || kind === 'sfixed64'

function readField(reader: Reader, row: Row, type: number, into: Values): void {
  const isOfItsType = type === WIRE_TYPE[row.kind]
  if (isOfItsType && !row.isRepeated) {
    for (const other of row.others) into[other] = null
    into[row.name] = readValue(reader, row)
  } else if (isOfItsType) {
    reader.count()
    ;(into[row.name] as unknown[]).push(readValue(reader, row))
  } else if (row.isRepeated && type === DELIMITED) {
    // Packed: the numbers follow one another behind one length.
    const outer = reader.enter()
    while (reader.at < reader.end) {
      reader.count()
      ;(into[row.name] as unknown[]).push(readValue(reader, row))
    }
    reader.leave(outer)
  } else reader.fail()
}

function readValue(reader: Reader, row: Row): unknown {
  switch (row.kind) {
    case 'key':
      return reader.byteString()
    case 'text':
      return reader.text()
    case 'view':
      return reader.view()
    case 'bool':
      return reader.bool()
    case 'int':
      return reader.int()
    case 'uint':
      return reader.uint()
    case 'uint32':
      return reader.int32() >>> 0
    case 'sint32':
      return reader.sint32()
    case 'int64':
      return reader.int64()
    case 'uint64':
      return reader.uint64()
    case 'fixed64':
      return reader.fixed64()
    case 'sfixed64':
      return BigInt.asIntN(64, reader.fixed64())
    case 'fixed32':
      return reader.fixed32()
    case 'double':
      return reader.double()
    case 'enum':
      return reader.int32()
    case 'message': {
      const outer = reader.enter()
      const value = row.codec().read(reader)
      reader.leave(outer)
      return value
    }
  }
}

function writeField(writer: ByteWriter, row: Row, value: unknown): void {
  if (value === null) return
  if (row.isRepeated) writeList(writer, row, value as readonly unknown[])
  else if (row.isOptional || row.kind === 'message' || !isDefault(row, value)) {
    writer.varint(row.tag)
    writeValue(writer, row, value)
  }
}

function writeList(writer: ByteWriter, row: Row, values: readonly unknown[]): void {
  if (isDelimited(row.kind)) {
    for (const value of values) {
      writer.varint(row.tag)
      writeValue(writer, row, value)
    }
  } else if (values.length > 0) {
    writer.varint(row.tag)
    const mark = writer.begin()
    for (const value of values) writeValue(writer, row, value)
    writer.end(mark)
  }
}

function isDefault(row: Row, value: unknown): boolean {
  if (row.kind === 'view') return (value as Uint8Array).length === 0
  return value === '' || value === 0 || value === 0n || value === false
}

function writeValue(writer: ByteWriter, row: Row, value: unknown): void {
  switch (row.kind) {
    case 'key':
      writer.varint((value as string).length)
      writer.byteString(value as string)
      return
    case 'text': {
      const mark = writer.begin()
      writer.text(value as string)
      writer.end(mark)
      return
    }
    case 'view':
      writer.varint((value as Uint8Array).length)
      writer.raw(value as Uint8Array)
      return
    case 'bool':
      writer.byte(value === true ? 1 : 0)
      return
    case 'int64':
    case 'uint64':
      writer.bigVarint(value as bigint)
      return
    case 'fixed64':
    case 'sfixed64':
      writer.fixed64(value as bigint)
      return
    case 'fixed32':
      writer.fixed32(value as number)
      return
    case 'double':
      writer.double(value as number)
      return
    case 'sint32':
      writer.varint((((value as number) << 1) ^ ((value as number) >> 31)) >>> 0)
      return
    case 'message': {
      const mark = writer.begin()
      row.codec().write(writer, value)
      writer.end(mark)
      return
    }
    case 'int':
    case 'uint':
    case 'uint32':
    case 'enum':
      writer.varint(value as number)
  }
}
