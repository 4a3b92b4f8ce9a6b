import { isRpcError } from '../../../core/delos/kv/errors.ts'
import { createWatchHub, type WatchHub } from '../../../core/delos/kv/watch/hub.ts'
import type { EtcdService } from '../../../core/delos/wire/service.ts'
import type { Identify } from './identity.ts'
import { type HeaderSource, sealHeader } from './kv-service.ts'
import type { Replica } from './replica.ts'

export interface Watching {
  service: Pick<EtcdService, 'Watch/Watch'>
  hub: WatchHub
  streams: () => number
  stop: () => void
}

/** Versions that watches which are behind look at in one turn: a few ms, so that keepalives and puts come through between. */
const STEP_BUDGET = 5000
/** As in etcd: a bookmark for watches on which nothing happens. */
const PROGRESS_MS = 600_000

export function watchService(replica: Replica, identify: Identify, headers: HeaderSource): Watching {
  let isStepDue = false
  const step = (): void => {
    isStepDue = false
    if (hub.step(STEP_BUDGET)) due()
  }
  const due = (): void => {
    if (isStepDue) return
    isStepDue = true
    setImmediate(step)
  }
  const hub = createWatchHub(replica.store, { onDue: due })
  replica.onApplied(() => {
    hub.publish()
    if (hub.unsyncedCount > 0) due()
  })
  replica.onRestored(() => {
    hub.restored()
    due()
  })
  const timer = setInterval(() => hub.notifyProgress(), PROGRESS_MS)
  timer.unref()
  let streams = 0
  return {
    hub,
    streams: () => streams,
    stop: () => clearInterval(timer),
    service: {
      'Watch/Watch': (call, sink) => {
        streams += 1
        const stream = hub.open(
          {
            send: (response) => sink.send(sealHeader(response, headers)),
            onReady: (listener) => sink.onReady(listener),
            end: (error) => sink.end(error),
          },
          (key, rangeEnd) => {
            const who = identify(call)
            return isRpcError(who) ? who : replica.store.mayRead(who, key, rangeEnd)
          },
        )
        const close = (): void => {
          streams -= 1
          stopWatchingRole()
          stream.close()
        }
        // Who asked for it is told when there is nobody to tell of changes any more.
        const stopWatchingRole = call.requiresLeader
          ? replica.onRole(({ leader }) => {
              if (leader !== null) return
              stream.cancelAll('etcdserver: no leader')
              sink.end({ code: 14, text: 'etcdserver: no leader' })
            })
          : (): void => undefined
        return {
          message: (request) => {
            if (request.create_request !== null) stream.create(request.create_request)
            else if (request.cancel_request !== null) stream.cancel(request.cancel_request.watch_id)
            else if (request.progress_request !== null) stream.requestProgress()
          },
          // As in etcd: who says nothing more may go on listening.
          halfClosed: () => {},
          cancelled: close,
        }
      },
    },
  }
}
