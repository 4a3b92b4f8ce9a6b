import { spawn } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import { createConnection } from 'node:net'
import { join } from 'node:path'
import { refuse } from '../../core/kernel/errors.ts'
import { type LocalFleet, readLocalFleet, writeLocalFleet } from './fleet.ts'
import type { IntakeOptions } from '../../core/scuba/ports.ts'
import type { StatePaths } from '../../platform/paths.ts'
import { identify, isAlive, readProcessId } from '../../platform/process.ts'
import { entryPoint } from '../../platform/spawn.ts'
import { lockState, prepareStateDir } from '../state/state-dir.ts'
import type { FleetStatus } from '../api/status.ts'
import { writeClickHouse } from '../scuba/clickhouse/settings.ts'
import { serverCommand, type Membership } from './server-command.ts'
import { takeStartError } from './start-error.ts'
import { clearLeftovers } from './teardown.ts'

/** Longest wait for a started server to answer, and then for its nodes to be ready. */
const ANSWER_MS_MAX = 30_000
const READY_MS_MAX = 30_000

/** The running server of a context, or null. */
export function runningServer(paths: StatePaths): { pid: number } | null {
  const id = readProcessId(paths.serverJson)
  return id && isAlive(id) ? { pid: id.pid } : null
}

/**
 * Starts a server in the background and waits until its whole local fleet is ready.
 * @param fleet what to run from now on; null keeps what the state remembers
 * @param onProgress told whenever something more is ready
 * @param signal gives up; what was begun is the caller's to take down. Rejects with its reason
 */
export async function launchServer(
  paths: StatePaths,
  options: {
    fleet: LocalFleet | null
    listen: string | null
    etcd?: string | null
    postgres?: string | null
    /** ways in for other people's telemetry */
    intake?: IntakeOptions
    /** ClickHouse's URL, with its secret, for the leaf's sealed rows; null: none from now on; absent: as before */
    clickhouse?: string | null
    /** where agents of other machines come in; null: as before */
    agents?: string | null
    /** how it belongs to a cluster; absent: as its state directory says */
    membership?: Membership
    readStatus: () => Promise<FleetStatus>
    onProgress?: (status: FleetStatus) => void
    signal?: AbortSignal
  },
): Promise<FleetStatus> {
  const running = runningServer(paths)
  if (running) throw refuse('SERVER_RUNNING', `a server already runs for context "${paths.context}" (pid ${running.pid})`)
  prepareStateDir(paths)
  // A server that is just starting has written nothing yet, but it holds the lock: nothing of its fleet may be touched.
  lockState(paths).release()
  const fleet = options.fleet ?? readLocalFleet(paths)
  await clearLeftovers(paths, fleet?.nodes.map(({ node }) => node) ?? [])
  if (fleet) writeLocalFleet(paths, fleet)
  if (options.clickhouse !== undefined) writeClickHouse(paths.scuba, options.clickhouse)
  options.signal?.throwIfAborted()
  const [program, main] = entryPoint('server/main')
  const output = openSync(join(paths.logs, 'server.out'), 'a', 0o600)
  const { args, env } = serverCommand(paths, options)
  // Two pool threads are kept busy by the logs' fdatasync; with the default of four, DNS and large reads would delay commits.
  const child = spawn(program, [main, ...args], {
    detached: true,
    stdio: ['ignore', output, output],
    env: { ...process.env, UV_THREADPOOL_SIZE: '8', ...env },
  })
  closeSync(output)
  child.unref()
  let exited = false
  child.once('exit', () => (exited = true))
  const id = child.pid === undefined ? null : identify(child.pid)

  await waitFor(ANSWER_MS_MAX, 'the server did not answer', paths, async () => {
    options.signal?.throwIfAborted()
    if (exited || (id && !isAlive(id))) throw startFailure(paths, child.pid)
    return canConnect(paths.socket)
  })
  let status: FleetStatus | null = null
  await waitFor(READY_MS_MAX, 'the nodes did not become ready', paths, async () => {
    options.signal?.throwIfAborted()
    const seen = await options.readStatus().catch(() => null)
    // What answers may be the server of another start at the same moment; then ours ends, and says so.
    if (seen === null || seen.server.pid !== child.pid) {
      if (exited) throw startFailure(paths, child.pid)
      return false
    }
    options.onProgress?.(seen)
    status = seen
    return seen.healthy
  })
  return status as unknown as FleetStatus
}

function startFailure(paths: StatePaths, pid: number | undefined): Error {
  const said = pid === undefined ? null : takeStartError(paths, pid)
  return said ?? refuse('UNAVAILABLE', 'the server ended while starting', { hint: `See ${join(paths.logs, 'server.out')}.` })
}

async function waitFor(ms: number, what: string, paths: StatePaths, test: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + ms
  while (!(await test())) {
    if (Date.now() > deadline)
      throw refuse('TIMEOUT', `${what} within ${ms / 1000} s`, { hint: `See ${join(paths.logs, 'server.log')} and \`muster status\`.` })
    await new Promise((resolve) => setTimeout(resolve, 25))
  }
}

function canConnect(socket: string): Promise<boolean> {
  return new Promise((resolve) => {
    const connection = createConnection(socket)
    connection.once('connect', () => resolve(connection.destroy() !== undefined))
    connection.once('error', () => resolve(false))
  })
}
