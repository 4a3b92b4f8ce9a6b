import { LEASES } from '../../core/delos/controller.ts'
import { leaseKeepalive, logList, logShow, status } from '../../core/delos/operations.ts'
import type { ServerHost, Wiring } from '../host.ts'
import { sendKvWatch } from './kv-watch.ts'
import { createLeaseKeeper } from './leases.ts'
import { describeLogs, listEntries, showEntry, type Logs } from './log-views.ts'

/** The adapters of delos: renewals of leases, watches, and reading the logs. `kv` is the host over the `kv` log. */
export function wireDelos({ control, kv, logs }: { control: ServerHost; kv: ServerHost; logs: Logs }): Wiring {
  const leases = createLeaseKeeper(kv)
  return {
    soft: { [LEASES]: leases.soft },
    actions: {
      [leaseKeepalive.name]: async ({ id }: { id: string }) => leases.keepalive(id),
      [logList.name]: async (input) => listEntries(logs, input),
      [logShow.name]: async (input) => showEntry(logs, input),
      [status.name]: async () => describeLogs(logs, control.paths.log, kv),
    },
    routes: (app) => {
      app.post('/v1/delos/kv/watch', async (request, reply) => sendKvWatch(kv, request, reply))
    },
  }
}
