import type { Identity, KvCommand } from '../../../core/delos/kv/command.ts'
import { isRpcError } from '../../../core/delos/kv/errors.ts'
import type { Reading } from '../../../core/delos/kv/reading.ts'
import { pairBytes } from '../../../core/delos/wire/pair-bytes.ts'
import type * as m from '../../../core/delos/wire/messages.ts'
import type { Call, EtcdService, Reply, RpcError } from '../../../core/delos/wire/service.ts'
import { ANSWER_BYTES_MAX, DONE_UNTOLD, type AnswerRoom } from './answer-room.ts'
import type { Identify } from './identity.ts'
import type { LongReads } from './long-reads.ts'
import type { Replica } from './replica.ts'

type KvService = Pick<EtcdService, 'KV/Range' | 'KV/Put' | 'KV/DeleteRange' | 'KV/Txn' | 'KV/Compact'>

/** What every answer's header says beside the revision. */
export interface HeaderSource {
  clusterId: bigint
  memberId: bigint
  term: () => number
}

/** Puts the server's part into a header that the store made. */
export function sealHeader<Response extends { header: m.ResponseHeader }>(response: Response, source: HeaderSource): Response {
  const { header } = response
  header.cluster_id = source.clusterId
  header.member_id = source.memberId
  header.raft_term = source.term()
  return response
}

/** Keys: reads from memory, changes through the log. */
export function kvService(
  replica: Replica,
  identify: Identify,
  headers: HeaderSource,
  onGrowth: () => RpcError | null,
  room: AnswerRoom,
  longReads: LongReads,
): KvService {
  const { store } = replica

  /** One change: who asks, is it sound, is there room; then the log. */
  const change = <Response extends { header: m.ResponseHeader }>(
    call: Call,
    raw: Uint8Array,
    reply: Reply<Response>,
    command: (who: Identity) => KvCommand,
    grows: boolean,
  ): void => {
    const who = identify(call)
    if (isRpcError(who)) return reply(who, null)
    const asked = command(who)
    const refusal = store.check(asked, raw.length) ?? (grows ? onGrowth() : null)
    if (refusal !== null) return reply(refusal, null)
    replica.submit(asked, raw, (error, response) => {
      if (error !== null) reply(error, null)
      else if (pairBytes(response as object) > ANSWER_BYTES_MAX) reply(DONE_UNTOLD, null)
      else reply(null, sealHeader(response as unknown as Response, headers))
    })
  }

  /** One read, from here as it stands when that was asked for, else as of everything acknowledged before. */
  const read = <Response extends { header: m.ResponseHeader }>(
    call: Call,
    isSerializable: boolean,
    reply: Reply<Response>,
    answer: (who: Identity) => Response | RpcError,
  ): void => {
    const who = identify(call)
    if (isRpcError(who)) return reply(who, null)
    const give = (given: Response | RpcError): void => {
      const refusal = isRpcError(given) ? given : room(pairBytes(given))
      if (refusal !== null) reply(refusal, null)
      else reply(null, sealHeader(given as Response, headers))
    }
    if (isSerializable && !replica.isBehind) return give(answer(who))
    replica.linearizable(
      () => answer(who),
      (error, given) => {
        if (error !== null) reply(error, null)
        else give(given as Response | RpcError)
      },
    )
  }

  /** The same of a range, which may be long: its revision is fixed at that moment, and it is read in slices. */
  const readRange = (request: m.RangeRequest, call: Call, reply: Reply<m.RangeResponse>): void => {
    const who = identify(call)
    if (isRpcError(who)) return reply(who, null)
    let isWanted = true
    call.onCancel(() => {
      isWanted = false
    })
    const give = (given: m.RangeResponse | RpcError): void => {
      const refusal = isRpcError(given) ? given : room(pairBytes(given))
      if (refusal !== null) reply(refusal, null)
      else reply(null, sealHeader(given as m.RangeResponse, headers))
    }
    let opened: Reading<m.RangeResponse> | RpcError | null = null
    const close = (): void => {
      if (opened !== null && !isRpcError(opened)) opened.close()
    }
    // Asked again when the first look came too early.
    const open = (): void => {
      close()
      opened = store.openRange(request, who)
    }
    const start = (error: RpcError | null): void => {
      if (error !== null) close()
      const reading = error ?? (opened as Reading<m.RangeResponse> | RpcError)
      if (isRpcError(reading)) reply(reading, null)
      else longReads.read(reading, { isWanted: () => isWanted, room }, give)
    }
    if (!request.serializable || replica.isBehind) return replica.linearizable(open, start)
    open()
    start(null)
  }

  return {
    'KV/Range': (request, _raw, call, reply) => {
      const refusal = store.checkRange(request)
      if (refusal !== null) return reply(refusal, null)
      if (request.range_end === '') read(call, request.serializable, reply, (who) => store.range(request, who))
      else readRange(request, call, reply)
    },
    'KV/Put': (request, raw, call, reply) => change(call, raw, reply, (who) => ({ kind: 'put', request, who }), true),
    'KV/DeleteRange': (request, raw, call, reply) => change(call, raw, reply, (who) => ({ kind: 'deleteRange', request, who }), false),
    'KV/Txn': (request, raw, call, reply) => {
      if (!store.isReadOnly(request)) return change(call, raw, reply, (who) => ({ kind: 'txn', request, who }), hasPut(request))
      const refusal = store.check({ kind: 'txn', request, who: { user: '', authRevision: 0 } }, raw.length)
      if (refusal !== null) return reply(refusal, null)
      const parts = [...request.success, ...request.failure]
      const isSerializable = parts.length > 0 && parts.every((part) => part.request_range?.serializable === true)
      read(call, isSerializable, reply, (who) => store.readTxn(request, who))
    },
    'KV/Compact': (request, raw, call, reply) =>
      change<m.CompactionResponse>(
        call,
        raw,
        (error, response) => {
          if (error !== null || !request.physical) return reply(error, response)
          replica.whenCompacted(() => reply(null, response))
        },
        (who) => ({ kind: 'compact', request, who }),
        false,
      ),
  }
}

/** A txn that can make the store larger. */
export function hasPut({ success, failure }: m.TxnRequest): boolean {
  return [...success, ...failure].some((part) => part.request_put !== null || (part.request_txn !== null && hasPut(part.request_txn)))
}
