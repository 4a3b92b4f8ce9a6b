import { bigintJson, parseBigintJson } from '../../kernel/json.ts'
import type { BatchEntry } from '../engines/batch.ts'
import { codecOf, decode } from '../../kernel/protobuf/codec.ts'
import { encode } from '../../kernel/protobuf/encode.ts'
import '../wire/protobuf/hot.ts'
import { COMPACTION_REQUEST, DELETE_RANGE_REQUEST, PUT_REQUEST, TXN_REQUEST } from '../wire/protobuf/schemas/kv.ts'
import type { KvCommand } from './command.ts'
import { COMMAND_KIND } from './command-kind.ts'

const CODECS = {
  put: codecOf(PUT_REQUEST),
  deleteRange: codecOf(DELETE_RANGE_REQUEST),
  txn: codecOf(TXN_REQUEST),
  compact: codecOf(COMPACTION_REQUEST),
} as const

const encoder = new TextEncoder()
const decoder = new TextDecoder()

/**
 * The body of a command's entry in the log: etcd's request as protobuf where there is one, so that what came in on the wire is logged as
 * it came; JSON for the others, which are few.
 */
export function encodeBody(command: KvCommand): Uint8Array {
  switch (command.kind) {
    case 'put':
      return encode(CODECS.put, command.request)
    case 'deleteRange':
      return encode(CODECS.deleteRange, command.request)
    case 'txn':
      return encode(CODECS.txn, command.request)
    case 'compact':
      return encode(CODECS.compact, command.request)
    case 'ops':
      return command.frame
    default: {
      // Who asked stands beside the body; only that nobody did, but the server itself, is said here.
      const { kind: _, ...rest } = 'who' in command ? { ...command, who: command.who === null ? null : undefined } : command
      return encoder.encode(bigintJson(rest))
    }
  }
}

/** Null: a kind, or a body, that this version does not know; then nothing after it may be applied. */
export function decodeCommand({ kind, user, authRevision, body }: BatchEntry): KvCommand | null {
  const who = { user: user.length === 0 ? '' : decoder.decode(user), authRevision }
  switch (kind) {
    case COMMAND_KIND.put:
      return withRequest('put', decode(CODECS.put, body), who)
    case COMMAND_KIND.deleteRange:
      return withRequest('deleteRange', decode(CODECS.deleteRange, body), who)
    case COMMAND_KIND.txn:
      return withRequest('txn', decode(CODECS.txn, body), who)
    case COMMAND_KIND.compact:
      return withRequest('compact', decode(CODECS.compact, body), who)
    case COMMAND_KIND.ops:
      return { kind: 'ops', frame: body, who }
    default: {
      const name = (Object.keys(COMMAND_KIND) as (keyof typeof COMMAND_KIND)[]).find((each) => COMMAND_KIND[each] === kind)
      if (name === undefined) return null
      const rest = parseBigintJson(decoder.decode(body)) as object
      return { who, ...rest, kind: name } as KvCommand
    }
  }
}

function withRequest(
  kind: 'put' | 'deleteRange' | 'txn' | 'compact',
  request: object | null,
  who: { user: string; authRevision: number },
): KvCommand | null {
  return request === null ? null : ({ kind, request, who } as KvCommand)
}
