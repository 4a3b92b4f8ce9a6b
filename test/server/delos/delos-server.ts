import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import type { FastifyInstance } from 'fastify'
import { createClient, type Client } from '../../../src/cli/client.ts'
import { delosSystem, kvSystem } from '../../../src/core/delos/system.ts'
import { createApi } from '../../../src/server/api/api.ts'
import type { ControlLog } from '../../../src/server/state/control-log.ts'
import { openTestLog } from '../../support/log.ts'
import { startControllers, type ControllerLoop } from '../../../src/server/controllers.ts'
import { wireDelos } from '../../../src/server/delos/wire.ts'
import type { ServerHost } from '../../../src/server/host.ts'
import { createLogger } from '../../../src/platform/logger.ts'
import { statePaths, type StatePaths } from '../../../src/platform/paths.ts'
import { openTokens } from '../../../src/server/api/roles.ts'

/** A control plane with delos alone, in this process, on a real socket and real logs. */
export interface DelosServer {
  dir: string
  paths: StatePaths
  client: Client
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
  let running: { app: FastifyInstance; loops: ControllerLoop[]; logs: ControlLog[] } | null = null

  const openLog = (name: string, dbFile: string, system: typeof kvSystem): Promise<ControlLog> =>
    openTestLog({ folder: join(paths.log, name), dbFile, systems: [system], segmentBytes: 256 * 1024 })
  const hostOf = (domain: ControlLog): ServerHost => ({
    paths,
    log,
    db: domain.db,
    position: domain.tail,
    now: domain.now,
    run: () => Promise.reject(new Error('not used by delos')),
    propose: () => Promise.reject(new Error('not used by delos')),
    onEntries: domain.onEntries,
    wake: () => undefined,
    telemetry: () => undefined,
  })
  const server: DelosServer = {
    dir,
    paths,
    env,
    client: createClient({ socketPath: paths.socket, isTls: false, token: null }, 'user:test'),
    start: async () => {
      const control = await openLog('control', paths.stateDb, delosSystem)
      const kv = await openLog('kv', paths.kvDb, kvSystem)
      const wiring = wireDelos({ control: hostOf(control), kv: hostOf(kv), logs: { control, kv } })
      const domains = [
        { systems: [delosSystem], control },
        { systems: [kvSystem], control: kv },
      ]
      const options = {
        domains,
        wirings: [wiring],
        tokens: openTokens(paths.keys),
        log,
        status: async () => ({}),
        onOperation: () => undefined,
      }
      await wiring.start?.()
      const app = createApi(options, true)
      rmSync(paths.socket, { force: true })
      await app.listen({ path: paths.socket })
      running = {
        app,
        loops: domains.map((domain) => startControllers(domain.systems, [wiring], domain.control, log)),
        logs: [control, kv],
      }
    },
    stop: async () => {
      const was = running
      running = null
      if (was === null) return
      for (const loop of was.loops) await loop.stop()
      await was.app.close()
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
