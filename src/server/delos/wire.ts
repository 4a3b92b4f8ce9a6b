import { ALARMS } from '../../core/delos/alarms/controller.ts'
import { PUBLISH, PUBLISH_CONFIG } from '../../core/delos/config/publish.ts'
import {
  configGet,
  kvHistory,
  kvOperations,
  leaderPreference,
  leaseOperations,
  lockOperations,
  logChain,
  logList,
  logShow,
  memberToken,
  snapshotSave,
  status,
  tokenIssue,
} from '../../core/delos/operations.ts'
import { ConfigReaders } from '../../core/delos/queries.ts'
import type { z } from 'zod'
import type { ActionDef } from '../../core/contracts/operation.ts'
import { createIssueAction } from '../api/tokens.ts'
import type { ControlLog } from '../state/control-log.ts'
import type { ActionContext, ServerHost, Wish, Wiring } from '../host.ts'
import { createConfigKeys } from './config-keys.ts'
import type { ControlStore } from './control-store.ts'
import { historyOf } from './kv-history.ts'
import { readableKvLog } from './kv-log.ts'
import { sendKvWatch, watchQuery } from './kv-watch.ts'
import { fleetCalls, fleetServers, type FleetCallsOptions } from './membership/fleet-calls.ts'
import { preferLeader } from './membership/prefer-leader.ts'
import { operatorRoutes } from './membership/operator-routes.ts'
import { createLogMeter, type LogMeter } from './log-meter.ts'
import { describeLogs, listEntries, showEntry, type Logs } from './log-views.ts'
import { describeChains } from './log-chain.ts'
import { noteLogMoves } from './log-moves.ts'
import type { VirtualLog } from './virtual-log/virtual-log.ts'
import { removeLeftovers, saveSnapshot, type SnapshotSource } from './snapshot/save.ts'

export interface DelosParts {
  host: ServerHost
  control: ControlLog
  store: ControlStore
  /** where etcd's clients are answered, or null */
  etcd: () => string | null
  meter?: LogMeter
  fleet: FleetCallsOptions
  /** who reads configurations */
  readers?: Pick<ConfigReaders, 'note'>
  /** makes tokens for servers that are to join; absent: this server takes nobody in */
  memberToken?: NonNullable<Wiring['plannedActions']>[string]
}

/** The adapters of delos: the key-value store, watches, configurations as keys, and reading the logs. */
export function wireDelos({
  host,
  control,
  store,
  etcd,
  meter = createLogMeter(),
  fleet,
  readers = new ConfigReaders(),
  memberToken: makeToken,
}: DelosParts): Wiring {
  const logs: Logs = { control, kv: readableKvLog(store.chain) }
  const configs = createConfigKeys(store, host.db)
  const chains = { control: fleet.control, kv: store.chain }
  const moves = noteLogMoves(host, chains, () => fleetServers(fleet).find(({ isSelf }) => isSelf)?.name ?? '')
  const own: readonly ActionDef[] = [...kvOperations, ...leaseOperations, ...lockOperations].filter((one) => one !== kvHistory)
  let preferring: { stop: () => void } | null = null
  return {
    soft: { [PUBLISH]: configs.soft, [ALARMS]: meter.soft },
    effects: {
      [PUBLISH_CONFIG]: async (effect) => {
        await configs.publish(effect)
        // The key itself says that it was done.
        return []
      },
    },
    answered: {
      [configGet.name]: ({ name, reader, version: wanted }: z.output<typeof configGet.input>, { version }: { version: number }) => {
        // Who asks for a version by its number is no reader of it.
        if (reader !== undefined && wanted === undefined) readers.note(name, reader, version, host.now())
      },
    },
    plannedActions: {
      ...Object.fromEntries(
        own.map(({ name }) => [name, (input: unknown, who: ActionContext, wish: Wish) => store.operate(name, input, who, wish)]),
      ),
      [tokenIssue.name]: createIssueAction(host),
      ...(makeToken === undefined ? {} : { [memberToken.name]: makeToken }),
    },
    actions: {
      [kvHistory.name]: async (input) => historyOf(store, input),
      [logList.name]: async (input) => listEntries(logs, input),
      [logShow.name]: async (input) => showEntry(logs, input),
      [logChain.name]: async ({ marks }: { marks: number }) =>
        describeChains({ db: host.db, now: host.now(), logs, chains, servers: fleetServers(fleet), marks }),
      [snapshotSave.name]: async ({ file }: { file: string }) => saveSnapshot(sourceOf(host, control, store, fleet.control), file),
      [status.name]: async () =>
        describeLogs({
          ...{ logs, chains, gaps: store.gaps, servers: fleetServers(fleet) },
          ...{ dir: host.paths.log, store, etcd: etcd() },
        }),
    },
    start: () => {
      meter.start(host, logs, host.paths.log, store.states)
      moves.start()
      preferring = preferLeader(fleet, () => leaderPreference(host.db).region, host.log)
      return removeLeftovers(host.paths)
    },
    stop: async () => {
      moves.stop()
      preferring?.stop()
      meter.stop()
    },
    routes: (app) => {
      app.post('/v1/delos/kv/watch', async (request, reply) => sendKvWatch(store, request.body, reply))
      // For who may only read, and for browsers.
      app.get('/v1/delos/kv/watch', async (request, reply) =>
        sendKvWatch(store, watchQuery(request.query as Record<string, string>), reply),
      )
      operatorRoutes(app, { kv: store.calls.kv, control: { ...store.calls.control, ...fleetCalls(fleet) } }, moves.during)
    },
  }
}

function sourceOf({ paths }: ServerHost, control: ControlLog, store: ControlStore, chain: VirtualLog): SnapshotSource {
  return {
    paths,
    logs: { control: chain, kv: store.chain },
    quiesce: (work) => control.quiesce(() => store.log.quiesce(work)),
  }
}
