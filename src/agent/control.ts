import { chmodSync, existsSync, mkdirSync, rmSync } from 'node:fs'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { dirname, join } from 'node:path'
import { runSession } from './exec/session.ts'
import { MusterError, refuse } from '../core/kernel/errors.ts'
import { compilePattern } from '../core/kernel/pattern.ts'
import { textOf } from '../platform/streams.ts'
import { LINE_BYTES_MAX, readLogs, type LogQuery } from './log-reader.ts'
import { runBeside } from './run-beside.ts'
import { runOnce } from './run-once.ts'
import type { Supervisor } from './supervisor.ts'
import type { Task } from './task.ts'

/** What the control socket answers from. */
export interface ControlHost {
  socket: string
  tasks: string
  /** what was run on the node, one file a run */
  runs: string
  supervisor: Supervisor
  status: () => unknown
  /** Chooses the installation that the agent is started from next, and ends it; false: that was done before. Tasks run on. */
  upgrade: (wish: { upgrade: number; folder: string | null; isBack: boolean }) => boolean
  /** Puts the machine into a profile, see `profile-keeper.ts`. */
  putProfile: (asked: unknown) => unknown
  /** Runs a leaf of scuba from now on, see `scuba/leaf-keeper.ts`. */
  joinLeaf: (serverHost: string | null) => Promise<unknown>
  /** Runs none any more. */
  leaveLeaf: () => Promise<unknown>
  /** stops tasks, faults, leaf and proxy; the agent itself stays until it is told to end */
  stopAll: () => Promise<{ stopped: number }>
}

/**
 * The agent's own HTTP API on a Unix socket (0600), for the CLI on this machine and for the server:
 * `GET /status`, `GET /logs?task=&stream=&n=&since=&grep=&follow=1` (NDJSON), `GET /exec?task=`, `POST /stop-all`,
 * `POST /task/ID/restart`, `POST /task/ID/signal?signal=`, `POST /task/ID/run` (`run-beside.ts`), `POST /run?task=&word=&size=` (`exec/session.ts`),
 * `POST /run/KEY` (`run-once.ts`), `POST /profile` (`profile-keeper.ts`), `POST /leaf?host=`, `DELETE /leaf` (`scuba/leaf-keeper.ts`). Errors have the form of every error of muster: `{error: {code, message, …}}`.
 */
export async function serveControl(host: ControlHost): Promise<Server> {
  mkdirSync(dirname(host.socket), { recursive: true, mode: 0o700 })
  // Left by an agent that was killed; a living one holds the claim on the node.
  rmSync(host.socket, { force: true })
  // What is typed into a command comes for as long as it runs.
  const server = createServer({ requestTimeout: 0 }, (incoming, response) => {
    handle(host, incoming, response).catch((error: unknown) => {
      const refusal = error instanceof MusterError ? error : refuse('INTERNAL', String(error), { cause: error })
      if (!response.headersSent) send(response, refusal.exit === 3 ? 404 : refusal.exit === 70 ? 500 : 409, { error: refusal.toJSON() })
      else response.destroy()
    })
  })
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(host.socket, resolve))
  chmodSync(host.socket, 0o600)
  return server
}

async function handle(host: ControlHost, incoming: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = new URL(incoming.url ?? '/', 'http://agent')
  const route = `${incoming.method} ${url.pathname}`
  const action = /^POST \/task\/([^/]+)\/(restart|signal|stop|run)$/.exec(route)
  if (action) {
    const task = host.supervisor.find(decodeURIComponent(action[1] ?? ''))
    if (task === undefined) throw refuse('TW_TASK_UNKNOWN', `No task ${decodeURIComponent(action[1] ?? '')} on this node.`)
    if (action[2] === 'run') {
      if (task.process === null) throw refuse('UNAVAILABLE', `${task.desired.task} has no process now.`)
      return runBeside(task.enter(), incoming, response)
    }
    if (action[2] === 'restart') task.restart()
    else if (action[2] === 'stop') task.stop()
    else if (!task.signal(url.searchParams.get('signal') ?? 'SIGHUP'))
      throw refuse('UNAVAILABLE', `${task.desired.task} has no process now.`)
    return send(response, 200, task.report())
  }
  const run = /^POST \/run\/([^/]+)$/.exec(route)
  if (run) return runOnce(host.runs, run[1] ?? '', incoming, response)
  switch (route) {
    case 'GET /status':
      return send(response, 200, host.status())
    case 'GET /exec': {
      return send(response, 200, runningTask(host, url.searchParams.get('task') ?? '').enter())
    }
    case 'POST /run': {
      const task = runningTask(host, url.searchParams.get('task') ?? '')
      const words = url.searchParams.getAll('word')
      const size = url.searchParams.get('size')
      const { argv, env, cwd } = task.enter(size !== null)
      const terminal = size === null ? null : (JSON.parse(size) as [number, number]).map(Math.trunc)
      return runSession(
        {
          argv: [...argv, ...(words.length > 0 ? words : ['/bin/sh'])],
          env: terminal === null ? env : { ...env, TERM: 'xterm-256color' },
          cwd,
          terminal: terminal === null ? null : [terminal[0] ?? 24, terminal[1] ?? 80],
        },
        incoming,
        response,
      )
    }
    case 'GET /logs':
      return streamLogs(host, url.searchParams, incoming, response)
    case 'POST /upgrade': {
      const { searchParams: asked } = url
      const wish = { upgrade: count(asked, 'upgrade'), folder: asked.get('folder'), isBack: asked.get('back') === '1' }
      const isNew = host.upgrade(wish)
      return send(response, 200, { isNew })
    }
    case 'POST /profile':
      return send(response, 200, host.putProfile(JSON.parse(await textOf(incoming))))
    case 'POST /leaf':
      return send(response, 200, await host.joinLeaf(url.searchParams.get('host')))
    case 'DELETE /leaf':
      return send(response, 200, await host.leaveLeaf())
    case 'POST /stop-all':
      return send(response, 200, await host.stopAll())
    default:
      throw refuse('NOT_FOUND', `The agent has no ${route}.`)
  }
}

function runningTask(host: ControlHost, key: string): Task {
  const task = host.supervisor.find(key)
  if (task === undefined) throw refuse('TW_TASK_UNKNOWN', `No task ${key} on this node.`)
  if (task.process === null) throw refuse('UNAVAILABLE', `${task.desired.task} has no process now.`)
  return task
}

async function streamLogs(host: ControlHost, query: URLSearchParams, incoming: IncomingMessage, response: ServerResponse): Promise<void> {
  const key = query.get('task') ?? ''
  // Tasks the server no longer asks about can still be read for a while, by their row id.
  const task = host.supervisor.find(key)
  const folder = task?.folder.root ?? join(host.tasks, /^\d+$/.test(key) ? key : '0')
  if (!existsSync(folder)) throw refuse('TW_TASK_UNKNOWN', `No task ${key} on this node.`)
  const stream = query.get('stream') ?? 'all'
  if (stream !== 'out' && stream !== 'err' && stream !== 'all') throw refuse('USAGE', `stream is out, err or all, not ${stream}.`)
  const asked: LogQuery = { stream }
  if (query.has('n')) asked.lines = count(query, 'n')
  if (query.has('since')) asked.since = count(query, 'since')
  const grep = query.get('grep')
  if (grep) asked.isMatch = lineTest(grep)
  const gone = new AbortController()
  response.once('close', () => gone.abort())
  incoming.resume()
  response.writeHead(200, { 'content-type': 'application/x-ndjson' })
  response.flushHeaders()
  const follow = query.get('follow') === '1' ? gone.signal : null
  for await (const line of readLogs({ out: join(folder, 'out'), err: join(folder, 'err') }, asked, follow, () => task?.isFinal ?? true)) {
    if (gone.signal.aborted) return
    // A reader that is slower than the log must not grow the agent.
    if (!response.write(`${JSON.stringify(line)}\n`)) await new Promise((resolve) => response.once('drain', resolve).once('close', resolve))
  }
  response.end()
}

/** A test of the text of a line; refuses what is no pattern. */
function lineTest(grep: string): (line: string) => boolean {
  const pattern = compilePattern(grep, LINE_BYTES_MAX)
  if (typeof pattern === 'string') throw refuse('USAGE', pattern)
  return pattern.test
}

function count(query: URLSearchParams, name: string): number {
  const value = Number(query.get(name))
  if (!Number.isSafeInteger(value) || value < 0) throw refuse('USAGE', `${name} is a whole number, not ${query.get(name)}.`)
  return value
}

function send(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' })
  response.end(JSON.stringify(body))
}
