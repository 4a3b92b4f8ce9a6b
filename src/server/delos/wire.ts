import { LEASES } from '../../core/delos/controller.ts'
import { leaseKeepalive, logList, logShow, snapshotSave, status } from '../../core/delos/operations.ts'
import type { ServerHost, Wiring } from '../host.ts'
import { sendKvWatch } from './kv-watch.ts'
import { createLeaseKeeper } from './leases.ts'
import { describeLogs, listEntries, showEntry, type Logs } from './log-views.ts'
import { removeLeftovers, saveSnapshot, type SnapshotSource } from './snapshot/save.ts'

/** The adapters of delos: renewals of leases, watches, and reading the logs. `kv` is the host over the `kv` log. */
export function wireDelos({ control, kv, logs }: { control: ServerHost; kv: ServerHost; logs: Logs }): Wiring {
  const leases = createLeaseKeeper(kv)
  return {
    soft: { [LEASES]: leases.soft },
    actions: {
      [leaseKeepalive.name]: async ({ id }: { id: string }) => leases.keepalive(id),
      [logList.name]: async (input) => listEntries(logs, input),
      [logShow.name]: async (input) => showEntry(logs, input),
      [snapshotSave.name]: async ({ file }: { file: string }) => saveSnapshot(sourceOf(control, logs), file),
      [status.name]: async () => describeLogs(logs, control.paths.log, kv),
    },
    start: () => removeLeftovers(control.paths),
    routes: (app) => {
      app.post('/v1/delos/kv/watch', async (request, reply) => sendKvWatch(kv, request, reply))
    },
  }
}

function sourceOf({ paths }: ServerHost, logs: Logs): SnapshotSource {
  return {
    paths,
    quiesce: (work) =>
      logs.control.quiesce(() =>
        logs.kv.quiesce(() =>
          work({ control: { head: logs.control.head(), tail: logs.control.tail() }, kv: { head: logs.kv.head(), tail: logs.kv.tail() } }),
        ),
      ),
  }
}
