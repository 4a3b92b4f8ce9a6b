import type { StoreClient } from '../../client/connect.ts'
import { kvView, rangeIn } from '../../core/delos/programs/text.ts'
import { EVENT_TYPE } from '../../core/delos/wire/messages.ts'
import { isRefusal } from '../../core/kernel/errors.ts'
import type { KvEvent } from '../follow/kv.ts'

/** The same as `watchKv`, of any store with etcd's v3 API. */
export async function* watchAt(
  client: StoreClient,
  watch: { key: string; isPrefix: boolean; from?: number; wantsPrev?: boolean },
  signal: AbortSignal,
): AsyncGenerator<KvEvent> {
  const range = rangeIn({ ...watch, isKeyBase64: false })
  if (isRefusal(range)) throw range
  const options = { hasPrevKv: watch.wantsPrev === true, ...(watch.from === undefined ? {} : { from: watch.from }) }
  for await (const { events } of client.watch(range, options, signal)) {
    for (const { type, kv, prev_kv: before } of events) {
      yield {
        revision: kv.mod_revision,
        type: type === EVENT_TYPE.delete ? 'delete' : 'put',
        kv: kvView(kv),
        ...(watch.wantsPrev === true ? { prev: before === null ? null : kvView(before) } : {}),
      }
    }
  }
}
