import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import type { FastifyInstance } from 'fastify'
import { expect } from 'vitest'
import { createClient, type Client } from '../../../src/cli/client.ts'
import { delosSystem } from '../../../src/core/delos/system.ts'
import { createApi } from '../../../src/server/api/api.ts'
import { openControlLog, type ControlLog } from '../../../src/server/state/control-log.ts'
import { holdIdentity } from '../../../src/server/state/identity.ts'
import { noPeers, openFleetLog } from '../../../src/server/delos/fleet-logs.ts'
import { startControllers, type ControllerLoop } from '../../../src/server/controllers.ts'
import { openControlStore } from '../../../src/server/delos/control-store.ts'
import type { VirtualLog } from '../../../src/server/delos/virtual-log/virtual-log.ts'
import { wireDelos } from '../../../src/server/delos/wire.ts'
import type { ServerHost, Wiring } from '../../../src/server/host.ts'
import { createLogger } from '../../../src/platform/logger.ts'
import { statePaths, type StatePaths } from '../../../src/platform/paths.ts'
import { openTokens } from '../../../src/server/api/tokens.ts'

/** A control plane with delos alone, in this process, on a real socket and real logs. */
export interface DelosServer {
  dir: string
  paths: StatePaths
  client: Client
  /** `HOST:PORT` of the port for etcd's clients */
  etcd: string
  /** environment that makes the CLI talk to it */
  env: NodeJS.ProcessEnv
  start: () => Promise<void>
  /** Ends it as a crash would look to clients; what was acknowledged stays. */
  stop: () => Promise<void>
  close: () => Promise<void>
}

/** @param root state directory to run on; without it, an empty one */
export async function openDelosServer(root?: string): Promise<DelosServer> {
  const dir = mkdtempSync(join(tmpdir(), 'muster-delos-'))
  const env = {
    ...process.env,
    MUSTER_STATE_DIR: root ?? join(dir, 'state'),
    XDG_CONFIG_HOME: join(dir, 'config'),
    NODE_COMPILE_CACHE: join(tmpdir(), 'muster-test-cache'),
  }
  const paths = statePaths('default', env)
  mkdirSync(dirname(paths.socket), { recursive: true })
  mkdirSync(paths.keys, { recursive: true })
  const log = createLogger(null)
  let running: { app: FastifyInstance; wiring: Wiring; loop: ControllerLoop; logs: { close: () => Promise<void> }[] } | null = null
  let etcd: string | null = null

  const hostOf = (control: ControlLog): ServerHost => ({
    paths,
    log,
    db: control.db,
    position: control.tail,
    now: control.now,
    run: () => Promise.reject(new Error('not used by delos')),
    propose: () => Promise.reject(new Error('not used by delos')),
    onEntries: control.onEntries,
    wake: () => undefined,
    askAgent: () => {
      throw new Error('no agent here')
    },
    telemetry: () => undefined,
  })
  const server: DelosServer = {
    dir,
    paths,
    env,
    etcd: '',
    client: createClient({ socketPath: paths.socket, isTls: false, token: null }, 'user:test'),
    start: async () => {
      const segmentBytes = 256 * 1024
      const onFatal = (error: Error): never => expect.unreachable(error.message)
      const identity = await holdIdentity(paths)
      const peers = noPeers(identity, log)
      const shared = { paths, identity, peers, logger: log, onFatal, segmentBytes }
      let chain: VirtualLog | null = null
      const control = await openControlLog({
        openLog: async (from) => (chain = await openFleetLog('control', { ...shared, from })),
        ...{ dbFile: paths.stateDb, systems: [delosSystem], clock: Date.now, log, onFatal },
      })
      const controlChain = chain as unknown as VirtualLog
      const store = await openControlStore({ ...shared, control: controlChain, state: control.copy })
      const fleet = {
        control: controlChain,
        kv: store.chain,
        members: store.members,
        states: store.states,
        peers,
        self: BigInt(`0x${identity.server}`),
      }
      const wiring = wireDelos({ host: hostOf(control), control, store, etcd: () => etcd, fleet })
      const domains = [{ systems: [delosSystem], control }]
      const options = {
        domains,
        wirings: [wiring],
        tokens: openTokens(control.db, paths.keys),
        log,
        status: async () => ({}),
        link: null,
        onOperation: () => undefined,
      }
      await wiring.start?.()
      const app = createApi(options, 'socket')
      rmSync(paths.socket, { force: true })
      await app.listen({ path: paths.socket })
      etcd = await store.openPort('127.0.0.1:0')
      server.etcd = etcd
      running = { app, wiring, loop: startControllers([delosSystem], [wiring], control, log), logs: [store, control, peers] }
    },
    stop: async () => {
      const was = running
      running = null
      if (was === null) return
      await was.loop.stop()
      await was.app.close()
      await was.wiring.stop?.()
      for (const one of was.logs) await one.close()
    },
    close: async () => {
      await server.stop()
      rmSync(dir, { recursive: true, force: true })
    },
  }
  await server.start()
  return server
}
