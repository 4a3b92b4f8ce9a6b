import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { intakeArgs, NO_INTAKE, type IntakeOptions } from '../../core/scuba/ports.ts'
import type { Logger } from '../../platform/logger.ts'
import type { StatePaths } from '../../platform/paths.ts'
import { readProcessId, signalProcess } from '../../platform/process.ts'
import { entryPoint } from '../../platform/spawn.ts'
import { createSupervisor, type Supervisor } from '../../platform/supervisor.ts'
import { clickHouseMark, readClickHouse } from './clickhouse/settings.ts'
import { createScubaClient, type LeafHealth } from './client.ts'

/** Pid and start time of a context's leaf. */
export function leafPidFile(paths: StatePaths): string {
  return join(paths.root, 'scuba-leaf.pid')
}

export interface ScubaLeaf {
  /** Starts the leaf or takes over the one that runs; resolves when it answers, or after 10 s with a warning. */
  start: () => Promise<void>
  status: () => { pid: number | null; socket: string; log: string; intake: LeafHealth['intake'] }
  /** Stops watching; the leaf goes on, so that agents can send while the server is away. */
  detach: () => Promise<void>
}

const NAME = 'scuba leaf'
const LOOK_MS = 5000
const START_MS_MAX = 10_000

/**
 * The leaf of a context as the server keeps it: a process of its own that outlives the server and is restarted when it dies or hangs.
 * @param backoffMs between two starts at first, for tests that kill it again and again
 */
export function ensureLeaf(paths: StatePaths, log: Logger, intake: IntakeOptions = NO_INTAKE, backoffMs?: number): ScubaLeaf {
  const logFile = join(paths.logs, 'scuba-leaf.log')
  const pidFile = leafPidFile(paths)
  const client = createScubaClient(paths.scubaSocket)
  let supervisor: Supervisor | null = null
  let timer: NodeJS.Timeout | null = null
  let silentLooks = 0
  let seen: LeafHealth['intake']

  const look = async (): Promise<void> => {
    try {
      seen = (await client.health()).intake
      silentLooks = 0
    } catch {
      silentLooks += 1
      const id = readProcessId(pidFile)
      // A leaf reads its journal before it listens, so a little silence is no hang.
      if (silentLooks < 6 || id === null) return
      silentLooks = 0
      log.warn('the scuba leaf does not answer and is restarted', { pid: id.pid })
      signalProcess(id, 'SIGKILL')
    }
  }

  return {
    start: async () => {
      mkdirSync(paths.scuba, { recursive: true, mode: 0o700 })
      mkdirSync(paths.logs, { recursive: true, mode: 0o700 })
      supervisor = createSupervisor(log, backoffMs)
      supervisor.keep({
        name: NAME,
        pidFile,
        command: () => [
          ...entryPoint('server/scuba/leaf-main'),
          '--dir',
          paths.scuba,
          '--socket',
          paths.scubaSocket,
          '--log',
          logFile,
          // By it the leaf shows leaves of other nodes and servers whose it is, and opens a port to them where `peers.json` says.
          '--keys',
          join(paths.keys, 'server.pem'),
          ...intakeArgs(intake),
        ],
        output: join(paths.logs, 'scuba-leaf.out'),
      })
      timer = setInterval(() => void look(), LOOK_MS)
      let isTold = false
      for (const until = Date.now() + START_MS_MAX; Date.now() < until;) {
        const health = await client.health().catch(() => null)
        seen = health?.intake
        const isTo = (health?.clickhouse?.mark ?? '') === clickHouseMark(readClickHouse(paths.scuba))
        if (health !== null && isTo && isAsked(health, intake)) return
        // One that runs on from before opens what it was told then; it begins anew, and loses nothing by that.
        const id = health === null || isTold ? null : readProcessId(pidFile)
        if (id !== null) {
          isTold = true
          log.info('the scuba leaf is restarted to open what is asked for now', { pid: id.pid })
          signalProcess(id, 'SIGTERM')
        }
        await new Promise((resolve) => setTimeout(resolve, 25))
      }
      log.warn('the scuba leaf does not answer yet; queries fail until it does', { log: logFile })
    },
    status: () => ({ pid: supervisor?.list()[0]?.pid ?? null, socket: paths.scubaSocket, log: logFile, intake: seen }),
    detach: async () => {
      if (timer) clearInterval(timer)
      supervisor?.detach()
      client.close()
    },
  }
}

function isAsked({ intake }: LeafHealth, { ports, scrape }: IntakeOptions): boolean {
  const has = Object.entries(intake?.ports ?? {}).map(([name, { wanted }]) => `${name} ${wanted}`)
  const targets = (intake?.scrape ?? []).map(({ target }) => target)
  const wants = Object.entries(ports).map(([name, wanted]) => `${name} ${wanted}`)
  return [...has, ...targets].toSorted().join() === [...wants, ...scrape].toSorted().join()
}
