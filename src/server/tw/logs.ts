import { setTimeout as sleep } from 'node:timers/promises'
import type { FastifyInstance } from 'fastify'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { refuse } from '../../core/kernel/errors.ts'
import { jobRow, parseTarget, tasksBySelector } from '../../core/tw/queries.ts'
import type { ServerHost } from '../host.ts'
import { linesOf } from '../../platform/streams.ts'
import { askAgent, placesOf, type TaskPlace } from './ask-agent.ts'

/** How soon a followed task is asked again after its log ended, e.g. while it is restarted in its place. */
const ASK_AGAIN_MS = 100

/**
 * `GET /v1/tw/logs?target=web&follow=1&n=100&stream=out&grep=x`: NDJSON `{task, node, stream, line, time?}`, of all its tasks.
 * Following goes on over restarts and takes up the tasks that are placed meanwhile; it ends with the job, or with the caller.
 */
export function logRoutes(app: FastifyInstance, host: ServerHost): void {
  app.get<{ Querystring: Record<string, string> }>('/v1/tw/logs', async (request, reply) => {
    const { target, ...rest } = request.query
    if (!target) throw refuse('USAGE', 'logs of what? Name a job, a group or a task')
    const places = placesOf(host, target)
    reply.hijack()
    reply.raw.writeHead(200, { 'content-type': 'application/x-ndjson' })
    reply.raw.flushHeaders()
    const copy = copier(host, reply.raw, rest)
    if (rest['follow'] === '1') await followAll(host, reply.raw, target, places, copy)
    else await Promise.all(places.map((place) => copy(place, rest['n'])))
    reply.raw.end()
  })
}

/** Copies one task's log into the answer, until it ends. `lines`: how many of the last ones; absent: all that are kept. */
type Copy = (place: TaskPlace, lines: string | undefined) => Promise<void>

function copier(host: ServerHost, out: ServerResponse, asked: Record<string, string>): Copy {
  const sources = new Set<IncomingMessage>()
  const closed = new Promise<void>((resolve) => {
    out.once('close', () => {
      sources.forEach((source) => source.destroy())
      resolve()
    })
  })
  return async (place, lines) => {
    const query = new URLSearchParams({ ...asked, task: String(place.id) })
    if (lines === undefined) query.delete('n')
    else query.set('n', lines)
    let source: IncomingMessage | null = null
    try {
      source = await askAgent(host, place.node, `/logs?${query}`)
      sources.add(source)
      for await (const line of linesOf(source)) {
        const isFull = !out.write(`${JSON.stringify({ task: place.task, node: place.node, ...JSON.parse(line) })}\n`)
        if (isFull && !out.destroyed) await Promise.race([closed, new Promise((resolve) => out.once('drain', resolve))])
      }
    } catch (error) {
      if (!out.destroyed)
        out.write(
          `${JSON.stringify({ task: place.task, node: place.node, stream: 'muster', line: `no logs: ${(error as Error).message}` })}\n`,
        )
    } finally {
      if (source) sources.delete(source)
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
