import type { EtcdService, RpcError, Sink } from '../../../../src/core/delos/wire/service.ts'
import type * as m from '../../../../src/core/delos/wire/messages.ts'

/** A store that is just large enough for clients to talk to: a Map, a revision, and watches of single keys and ranges. */
export function mapService(): { service: Partial<EtcdService>; pending: (() => void)[] } {
  const keys = new Map<string, m.KeyValue>()
  const watchers = new Map<number, { sink: Sink<m.WatchResponse>; key: string; end: string }>()
  /** answers that `Lock` holds back until the test lets them go */
  const pending: (() => void)[] = []
  let revision = 1
  let nextWatch = 1

  const header = (): m.ResponseHeader => ({ cluster_id: 0xdcba_0000_0000_0001n, member_id: 0x1234n, revision, raft_term: 2 })
  const isIn = (key: string, from: string, end: string): boolean => (end === '' ? key === from : key >= from && (end === '\0' || key < end))

  const tell = (type: number, kv: m.KeyValue): void => {
    for (const [watch_id, { sink, key, end }] of watchers) {
      if (!isIn(kv.key, key, end)) continue
      sink.send({ ...noWatchResponse(header()), watch_id, events: [{ type, kv, prev_kv: null }] })
    }
  }
  const put = (request: m.PutRequest): m.PutResponse | RpcError => {
    if (request.key === '') return { code: 3, text: 'etcdserver: key is not provided' }
    revision += 1
    const before = keys.get(request.key) ?? null
    const kv: m.KeyValue = {
      key: request.key,
      create_revision: before?.create_revision ?? revision,
      mod_revision: revision,
      version: (before?.version ?? 0) + 1,
      value: request.value.slice(),
      lease: request.lease,
    }
    keys.set(request.key, kv)
    tell(0, kv)
    return { header: header(), prev_kv: request.prev_kv ? before : null }
  }
  const range = (request: m.RangeRequest): m.RangeResponse | RpcError => {
    if (request.key === '') return { code: 3, text: 'etcdserver: key is not provided' }
    if (request.revision > revision) return { code: 11, text: 'etcdserver: mvcc: required revision is a future revision' }
    const kvs = [...keys.values()].filter(({ key }) => isIn(key, request.key, request.range_end)).sort((a, b) => (a.key < b.key ? -1 : 1))
    const limited = request.limit > 0 ? kvs.slice(0, request.limit) : kvs
    return { header: header(), kvs: limited, more: limited.length < kvs.length, count: kvs.length }
  }

  const service: Partial<EtcdService> = {
    'KV/Put': (request, _raw, _call, reply) => answer(put(request), reply),
    'KV/Range': (request, _raw, _call, reply) => answer(range(request), reply),
    'KV/DeleteRange': (request, _raw, _call, reply) => {
      const gone = [...keys.values()].filter(({ key }) => isIn(key, request.key, request.range_end))
      if (gone.length > 0) revision += 1
      for (const kv of gone) {
        keys.delete(kv.key)
        tell(1, { key: kv.key, create_revision: 0, mod_revision: revision, version: 0, value: new Uint8Array(0), lease: 0n })
      }
      reply(null, { header: header(), deleted: gone.length, prev_kvs: request.prev_kv ? gone : [] })
    },
    'KV/Txn': (request, _raw, _call, reply) => {
      const succeeded = request.compare.every((one) => (one.version ?? 0) === (keys.get(one.key)?.version ?? 0))
      const responses = (succeeded ? request.success : request.failure).map((op): m.ResponseOp => {
        const none: m.ResponseOp = { response_range: null, response_put: null, response_delete_range: null, response_txn: null }
        if (op.request_put !== null)
          return { ...none, response_put: { ...(put(op.request_put) as m.PutResponse), header: inner(revision) } }
        if (op.request_range === null) return none
        return { ...none, response_range: { ...(range(op.request_range) as m.RangeResponse), header: inner(revision) } }
      })
      reply(null, { header: header(), succeeded, responses })
    },
    'Watch/Watch': (_call, sink) => {
      const mine = new Set<number>()
      const drop = (): void => {
        for (const id of mine) watchers.delete(id)
      }
      return {
        message: ({ create_request, cancel_request }) => {
          if (create_request !== null) {
            const watch_id = nextWatch++
            mine.add(watch_id)
            sink.send({ ...noWatchResponse(header()), watch_id, created: true })
            watchers.set(watch_id, { sink, key: create_request.key, end: create_request.range_end })
          } else if (cancel_request !== null) {
            watchers.delete(cancel_request.watch_id)
            sink.send({ ...noWatchResponse(header()), watch_id: cancel_request.watch_id, canceled: true })
          }
        },
        halfClosed: () => undefined,
        cancelled: drop,
      }
    },
    'Lease/LeaseKeepAlive': (_call, sink) => ({
      message: ({ ID }) => void sink.send({ header: header(), ID, TTL: ID === 7n ? 10 : 0 }),
      halfClosed: () => sink.end(),
      cancelled: () => undefined,
    }),
    'Lease/LeaseTimeToLive': (request, _raw, _call, reply) =>
      reply(null, { header: header(), ID: request.ID, TTL: -1, grantedTTL: 0, keys: [] }),
    'Lease/LeaseRevoke': (_request, _raw, _call, reply) => reply({ code: 5, text: 'etcdserver: requested lease not found' }, null),
    'Auth/Authenticate': (_request, _raw, _call, reply) => reply({ code: 9, text: 'etcdserver: authentication is not enabled' }, null),
    // Tells the caller what is known of it, which is what the tests want to see.
    'Auth/UserGet': (_request, _raw, call, reply) =>
      reply(null, { header: header(), roles: [call.token, call.commonName, String(call.requiresLeader)] }),
    'Lock/Lock': (request, _raw, call, reply) => {
      pending.push(() => reply(null, { header: header(), key: request.name }))
      call.onCancel(() => pending.push(() => undefined))
    },
    'Maintenance/Status': (_request, _raw, _call, reply) =>
      reply(null, {
        header: header(),
        version: '3.5.0',
        dbSize: 4096,
        leader: 0x1234n,
        raftIndex: 7,
        raftTerm: 2,
        raftAppliedIndex: 7,
        errors: [],
        dbSizeInUse: 4096,
        isLearner: false,
      }),
  }
  return { service, pending }
}

const inner = (revision: number): m.ResponseHeader => ({ cluster_id: 0n, member_id: 0n, revision, raft_term: 0 })

const noWatchResponse = (header: m.ResponseHeader): m.WatchResponse => ({
  header,
  watch_id: 0,
  created: false,
  canceled: false,
  compact_revision: 0,
  cancel_reason: '',
  fragment: false,
  events: [],
})

function answer<Response extends object>(
  result: Response | RpcError,
  reply: (error: RpcError | null, response: Response | null) => void,
): void {
  if ('text' in result) reply(result, null)
  else reply(null, result)
}
