import { setTimeout as sleep } from 'node:timers/promises'
import type { FastifyInstance } from 'fastify'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { refuse } from '../../core/kernel/errors.ts'
import { compilePattern } from '../../core/kernel/pattern.ts'
import { jobRow, parseTarget, tasksBySelector } from '../../core/tw/queries.ts'
import type { ServerHost } from '../host.ts'
import { linesOf } from '../../platform/streams.ts'
import { askAgent, placesOf, type TaskPlace } from './ask-agent.ts'
import { mergeByTime } from './merge-by-time.ts'

/** How soon a followed task is asked again after its log ended, e.g. while it is restarted in its place. */
const ASK_AGAIN_MS = 100

/** What is asked of the agents, of `GET /v1/tw/logs`. */
interface Asked {
  n: string | undefined
  stream: string | undefined
  /** ms since the epoch */
  since: string | undefined
  /** a pattern as `core/kernel/pattern.ts` takes it */
  grep: string | undefined
  follow: string | undefined
}

interface TaskLine {
  task: string
  node: string
  /** `out`, `err`, or `muster`: a remark of the server's own */
  stream: string
  line: string
  /** ms since the epoch; absent when not known */
  time?: number
}

/**
 * `GET /v1/tw/logs?target=web&all=1&follow=1&n=100&since=MS&stream=out&grep=x`: NDJSON of {@link TaskLine}, of all its tasks (`all`: those
 * too that ended) by time. Following gives them as they come, goes on over restarts and takes up the tasks that are placed
 * meanwhile; it ends with the job, or with the caller.
 */
export function logRoutes(app: FastifyInstance, host: ServerHost): void {
  app.get<{ Querystring: Record<string, string> }>('/v1/tw/logs', async (request, reply) => {
    const { target, follow, all, n, stream, since, grep } = request.query
    if (!target) throw refuse('USAGE', 'logs of what? Name a job, a group or a task')
    const wrong = grep === undefined ? null : compilePattern(grep)
    if (typeof wrong === 'string') throw refuse('USAGE', `--grep ${JSON.stringify(grep)}: ${wrong}`)
    const places = placesOf(host, target, all === '1')
    const asked = { n, stream, since, grep, follow }
    reply.hijack()
    reply.raw.writeHead(200, { 'content-type': 'application/x-ndjson' })
    reply.raw.flushHeaders()
    const reader = new LogReader(host, reply.raw)
    if (follow === '1')
      await followAll(host, reply.raw, target, places, (place, lines) => reader.copy(reader.read(place, { ...asked, n: lines })))
    else await reader.copy(mergeByTime(places.map((place) => reader.read(place, asked))))
    reply.raw.end()
  })
}

/** Copies one task's log into the answer, until it ends. `lines`: how many of the last ones; absent: all that are kept. */
type Copy = (place: TaskPlace, lines: string | undefined) => Promise<void>

/** Reads the agents' answers for one caller; all of it ends when the caller goes. */
class LogReader {
  private readonly host: ServerHost
  private readonly out: ServerResponse
  private readonly sources = new Set<IncomingMessage>()
  private readonly closed: Promise<void>

  constructor(host: ServerHost, out: ServerResponse) {
    this.host = host
    this.out = out
    this.closed = new Promise((resolve) => {
      out.once('close', () => {
        for (const source of this.sources) source.destroy()
        resolve()
      })
    })
  }

  /** The lines of one task; an agent that does not answer gives a remark. */
  async *read({ id, task, node }: TaskPlace, asked: Asked): AsyncGenerator<TaskLine> {
    const query = new URLSearchParams({ task: String(id) })
    for (const [name, value] of Object.entries(asked)) if (value !== undefined) query.set(name, value)
    let source: IncomingMessage | null = null
    try {
      source = await askAgent(this.host, node, `/logs?${query}`)
      this.sources.add(source)
      for await (const line of linesOf(source)) yield { task, node, ...(JSON.parse(line) as Omit<TaskLine, 'task' | 'node'>) }
    } catch (error) {
      if (!this.out.destroyed) yield { task, node, stream: 'muster', line: `no logs: ${(error as Error).message}` }
    } finally {
      if (source) {
        this.sources.delete(source)
        source.destroy()
      }
    }
  }

  /** Writes lines as fast as the caller takes them. */
  async copy(lines: AsyncIterable<TaskLine>): Promise<void> {
    for await (const line of lines) {
      if (this.out.destroyed) return
      const isFull = !this.out.write(`${JSON.stringify(line)}\n`)
      if (isFull) await Promise.race([this.closed, new Promise((resolve) => this.out.once('drain', resolve))])
    }
  }
}

async function followAll(host: ServerHost, out: ServerResponse, target: string, places: readonly TaskPlace[], copy: Copy): Promise<void> {
  const followed = new Set<number>()
  let wake = (): void => {}
  const follow = async (place: TaskPlace, lines: string | undefined): Promise<void> => {
    followed.add(place.id)
    for (let n = lines; !out.destroyed; n = '0') {
      await copy(place, n)
      if (!isLiving(host, place.id)) break
      await sleep(ASK_AGAIN_MS)
    }
    wake()
  }
  let running = 0
  const begin = (place: TaskPlace, lines: string | undefined): void => {
    running += 1
    void follow(place, lines).finally(() => {
      running -= 1
      wake()
    })
  }
  const unlisten = host.onEntries((entries) => {
    if (!entries.some((entry) => entry.type === 'tw.TasksPlaced')) return wake()
    // What is new is told from its beginning.
    for (const place of livingPlaces(host, target)) if (!followed.has(place.id)) begin(place, undefined)
  })
  const { searchParams } = new URL(out.req.url ?? '/', 'http://server')
  out.once('close', () => wake())
  for (const place of places) begin(place, searchParams.get('n') ?? undefined)
  while (!out.destroyed && (running > 0 || isExpected(host, target))) {
    await new Promise<void>((resolve) => {
      wake = resolve
    })
  }
  unlisten()
}

function livingPlaces(host: ServerHost, target: string): TaskPlace[] {
  const selector = parseTarget(target)
  return selector === null || 'id' in selector ? [] : tasksBySelector(host.db, selector)
}

function isLiving(host: ServerHost, id: number): boolean {
  return host.db.get('SELECT id FROM tw_task WHERE id = ? AND is_terminal = 0', id) !== undefined
}

/** Whether another task of the target may come: its service runs on. */
function isExpected(host: ServerHost, target: string): boolean {
  const selector = parseTarget(target)
  if (selector === null || 'id' in selector) return false
  const job = jobRow(host.db, selector.job)
  return job !== undefined && job.state === 'running' && (job.kind === 'service' || livingPlaces(host, target).length > 0)
}
