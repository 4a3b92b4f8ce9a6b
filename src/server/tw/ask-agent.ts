import type { IncomingMessage } from 'node:http'
import { refuse } from '../../core/kernel/errors.ts'
import { parseTarget, tasksBySelector } from '../../core/tw/queries.ts'
import { textOf } from '../../platform/streams.ts'
import type { ServerHost } from '../host.ts'

export interface TaskPlace {
  id: number
  task: string
  node: string
}

/** Tasks a target names: `web`, `web/api`, `web/api[3]` or an id; of the latter two also the one that ended last. */
export function placesOf(host: ServerHost, target: string): TaskPlace[] {
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

/** One request to an agent's control socket, which is on the machine of the server that the agent talks to. */
export function askAgent(host: ServerHost, node: string, path: string, method = 'GET', body?: string): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const sent = host.askAgent(node, { path, method }, (response) => {
      if (response.statusCode === 200) resolve(response)
      else textOf(response).then((text) => reject(refuse('UNAVAILABLE', `agent ${node}: ${text.slice(0, 300)}`)), reject)
    })
    sent.on('error', (error) => reject(refuse('UNAVAILABLE', `agent ${node} does not answer: ${error.message}`, { cause: error })))
    sent.end(body)
  })
}
