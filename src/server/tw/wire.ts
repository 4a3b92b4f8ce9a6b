import { request as httpRequest, type IncomingMessage } from 'node:http'
import type { FastifyInstance } from 'fastify'
import { refuse } from '../../core/kernel/errors.ts'
import { parseTarget, tasksBySelector, type TwSoft } from '../../core/tw/queries.ts'
import { twSystem } from '../../core/tw/system.ts'
import type { ServerHost, Wiring } from '../host.ts'
import type { AgentHub } from './agents.ts'

interface TaskPlace {
  id: number
  task: string
  node: string
}

/** tw's adapters: beats for its controllers, logs and exec through the agents' sockets. */
export function wireTw(host: ServerHost, hub: AgentHub): Wiring {
  const since = host.now()
  const soft = (): TwSoft => ({ beats: hub.beats, since })
  return {
    soft: Object.fromEntries(twSystem.controllers.map(({ name }) => [name, soft])),
    actions: {
      'tw.task.exec': async ({ task }: { task: string }) => {
        const place = placesOf(host, task)[0] as TaskPlace
        return JSON.parse(await readAll(await askAgent(host, place.node, `/exec?task=${place.id}`)))
      },
      'tw.task.signal': async ({ task, signal }: { task: string; signal: string }) => {
        const place = placesOf(host, task)[0] as TaskPlace
        await readAll(await askAgent(host, place.node, `/task/${place.id}/signal?signal=${signal}`, 'POST'))
        return { task: place.task, node: place.node }
      },
    },
    routes: (app) => logRoutes(app, host),
    stop: async () => hub.stop(),
  }
}

/** Tasks a target names: `web`, `web/api`, `web/api[3]` or an id; of the latter two also the one that ended last. */
function placesOf(host: ServerHost, target: string): TaskPlace[] {
  const selector = parseTarget(target)
  if (!selector) throw refuse('USAGE', `"${target}" names no job, group or task; write web, web/api or web/api[3]`)
  if ('id' in selector) {
    const found = tasksBySelector(host.db, { isAll: true }).find((task) => task.id === selector.id)
    if (found) return [found]
  } else {
    const living = tasksBySelector(host.db, selector)
    if (living.length > 0) return living
    const ended = tasksBySelector(host.db, { ...selector, isAll: true }).at(-1)
    if (ended) return [ended]
  }
  throw refuse('TW_TASK_UNKNOWN', `there is no task ${target}`)
}

/** `GET /v1/tw/logs?target=web&follow=1&n=100&stream=out&grep=x`: NDJSON `{task, stream, line, time?}`, of all its tasks. */
function logRoutes(app: FastifyInstance, host: ServerHost): void {
  app.get<{ Querystring: Record<string, string> }>('/v1/tw/logs', async (request, reply) => {
    const { target, ...rest } = request.query
    if (!target) throw refuse('USAGE', 'logs of what? Name a job, a group or a task')
    const places = placesOf(host, target)
    reply.hijack()
    reply.raw.writeHead(200, { 'content-type': 'application/x-ndjson' })
    reply.raw.flushHeaders()
    const sources: IncomingMessage[] = []
    reply.raw.once('close', () => sources.forEach((source) => source.destroy()))
    const copies = places.map(async (place) => {
      const query = new URLSearchParams({ ...rest, task: String(place.id) })
      try {
        const source = await askAgent(host, place.node, `/logs?${query}`)
        sources.push(source)
        for await (const line of linesOf(source)) reply.raw.write(`${JSON.stringify({ task: place.task, node: place.node, ...JSON.parse(line) })}\n`)
      } catch (error) {
        if (!reply.raw.destroyed) reply.raw.write(`${JSON.stringify({ task: place.task, node: place.node, stream: 'muster', line: `no logs: ${(error as Error).message}` })}\n`)
      }
    })
    await Promise.all(copies)
    reply.raw.end()
  })
}

async function* linesOf(source: AsyncIterable<Buffer>): AsyncGenerator<string> {
  let rest = ''
  for await (const chunk of source) {
    const lines = (rest + chunk.toString('utf8')).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) if (line) yield line
  }
  if (rest) yield rest
}

/** One request to an agent's control socket; agents of other machines will be dialled by address. */
function askAgent(host: ServerHost, node: string, path: string, method = 'GET'): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const sent = httpRequest({ socketPath: host.paths.agent(node).socket, path, method }, (response) => {
      if (response.statusCode === 200) resolve(response)
      else readAll(response).then((text) => reject(refuse('UNAVAILABLE', `agent ${node}: ${text.slice(0, 300)}`)), reject)
    })
    sent.on('error', (error) => reject(refuse('UNAVAILABLE', `agent ${node} does not answer: ${error.message}`, { cause: error })))
    sent.end()
  })
}

async function readAll(source: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of source) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString('utf8')
}
