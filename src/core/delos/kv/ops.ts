import { byteString } from '../../kernel/protobuf/byte-string.ts'
import { AnswerWriter } from '../wire/native/answers.ts'
import { WRITE_HEAD_BYTES } from '../wire/native/frames.ts'
import { OP, OpCursor } from '../wire/native/ops.ts'
import { readWriteHead } from '../wire/native/requests.ts'
import { codecOf, decode } from '../../kernel/protobuf/codec.ts'
import { encode } from '../../kernel/protobuf/encode.ts'
import { TXN_REQUEST, TXN_RESPONSE } from '../wire/protobuf/schemas/kv.ts'
import type { RpcError } from '../wire/service.ts'
import { refuseStranger } from './auth.ts'
import type { CommandResponses, Identity, KvCommand, OpsResponse } from './command.ts'
import { isRpcError, KV_ERRORS } from './errors.ts'
import { deleteKey, putKey } from './mutate.ts'
import { admit, openSession, remember } from './sessions.ts'
import { commit, type KvState } from './state.ts'
import { NO_BYTES } from './version.ts'

const txnRequest = codecOf(TXN_REQUEST)
const txnResponse = codecOf(TXN_RESPONSE)
const writer = new AnswerWriter()

/** Applies one command as if it stood alone in the log. */
type Run = (command: KvCommand) => CommandResponses[KvCommand['kind']] | RpcError

/**
 * Applies a frame of the native protocol: each operation is a transaction of its own, one after the other. A frame that was applied before is
 * answered as it was then, and changes nothing.
 * @param body of a write frame, its head and its operations
 */
export function applyOps(state: KvState, body: Uint8Array, who: Identity, run: Run): OpsResponse | RpcError {
  const head = readWriteHead(body)
  if (head === null) return KV_ERRORS.badFrame
  if (head.seq === 0) {
    // A stranger must not push out the sessions of others.
    const refusal = state.auth.isEnabled ? refuseStranger(state.auth, who) : null
    if (refusal !== null) return refusal
    openSession(state, head)
    return { count: 0, answers: NO_BYTES }
  }
  const admitted = admit(state, head)
  if (isRpcError(admitted)) return admitted
  if (admitted instanceof Uint8Array) return { count: head.count, answers: admitted }
  const ops = new OpCursor(body, WRITE_HEAD_BYTES, head.count)
  // With rights to look at, or an alarm raised, each operation goes the way of a command of its own.
  if (state.auth.isEnabled || state.alarms.size > 0) applyEach(ops, who, run, state)
  else applyPlain(ops, who, run, state)
  const answers = writer.take()
  remember(state, admitted, head.seq, answers)
  return { count: head.count, answers }
}

function applyPlain(ops: OpCursor, who: Identity, run: Run, state: KvState): void {
  const { bytes } = ops
  while (ops.next()) {
    if (ops.kind === OP.put) {
      putKey(state, byteString(bytes, ops.keyAt, ops.keyEnd), bytes.subarray(ops.keyEnd, ops.end), 0n)
      commit(state)
      writer.changed(state.revision)
    } else if (ops.kind === OP.delete) {
      const history = state.index.get(byteString(bytes, ops.keyAt, ops.keyEnd))
      if (history === undefined || history.latest.isDeleted) writer.nothing(state.revision)
      else {
        deleteKey(state, history)
        commit(state)
        writer.changed(state.revision)
      }
    } else answerTxn(ops, who, run)
  }
}

function applyEach(ops: OpCursor, who: Identity, run: Run, state: KvState): void {
  const { bytes } = ops
  while (ops.next()) {
    if (ops.kind === OP.txn) answerTxn(ops, who, run)
    else {
      const key = byteString(bytes, ops.keyAt, ops.keyEnd)
      const answer = run(
        ops.kind === OP.put
          ? { kind: 'put', who, request: { key, value: ops.body, lease: 0n, prev_kv: false, ignore_value: false, ignore_lease: false } }
          : { kind: 'deleteRange', who, request: { key, range_end: '', prev_kv: false } },
      )
      if (isRpcError(answer)) writer.refused(answer)
      else if ('deleted' in answer && answer.deleted === 0) writer.nothing(state.revision)
      else writer.changed(state.revision)
    }
  }
}

function answerTxn(ops: OpCursor, who: Identity, run: Run): void {
  const request = decode(txnRequest, ops.body)
  const answer = request === null ? KV_ERRORS.badFrame : run({ kind: 'txn', request, who })
  if (isRpcError(answer)) writer.refused(answer)
  else writer.message(encode(txnResponse, answer as CommandResponses['txn']))
}
