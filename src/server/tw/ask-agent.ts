import type { IncomingMessage } from 'node:http'
import { errorFromBody, refuse, type ErrorBody, type MusterError } from '../../core/kernel/errors.ts'
import { findTask, jobRow, parseTarget, taskName, tasksBySelector } from '../../core/tw/queries.ts'
import { textOf } from '../../platform/streams.ts'
import type { ServerHost } from '../host.ts'

export interface TaskPlace {
  id: number
  task: string
  node: string
}

/**
 * Tasks a target names, `web`, `web/api`, `web/api[3]` or an id: those that live; of one that is given by its name or id, and of batch
 * work, also what ended last. `isAll`: every one that is remembered.
 */
export function placesOf(host: ServerHost, target: string, isAll = false): TaskPlace[] {
  const selector = parseTarget(target)
  if (!selector) throw refuse('USAGE', `"${target}" names no job, group or task; write web, web/api or web/api[3]`)
  const row = 'id' in selector ? findTask(host.db, target) : null
  const byId = row === null ? [] : [{ id: row.id, task: taskName(row), node: row.node }]
  const places = 'id' in selector ? byId : isAll ? tasksBySelector(host.db, { ...selector, isAll }) : latest(host, selector)
  if (places.length === 0) throw refuse('TW_TASK_UNKNOWN', `there is no task ${target}`)
  return places
}

function latest(host: ServerHost, selector: { job: string; group?: string; index?: number }): TaskPlace[] {
  const living = tasksBySelector(host.db, selector)
  const kind = jobRow(host.db, selector.job)?.kind
  if (living.length > 0 && kind !== 'batch' && kind !== 'sysbatch') return living
  // By id, so that the last of each index wins.
  const all = tasksBySelector(host.db, { ...selector, isAll: true }).toSorted((a, b) => a.id - b.id)
  const ended = new Map(all.map((place) => [place.task, place]))
  for (const { task } of living) ended.delete(task)
  return [...living, ...ended.values()]
}

/** One request to an agent's control socket, which is on the machine of the server that the agent talks to. */
export function askAgent(host: ServerHost, node: string, path: string, method = 'GET', body?: string): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const sent = host.askAgent(node, { path, method }, (response) => {
      if (response.statusCode === 200) resolve(response)
      else textOf(response).then((text) => reject(refusalOf(node, text)), reject)
    })
    sent.on('error', (error) => reject(refuse('UNAVAILABLE', `agent ${node} does not answer: ${error.message}`, { cause: error })))
    sent.end(body)
  })
}

/** What an agent refused, in its own words; the code it has for it, where it has one. */
function refusalOf(node: string, text: string): MusterError {
  try {
    const { error } = JSON.parse(text) as { error: ErrorBody }
    return errorFromBody({ ...error, message: `node ${node}: ${error.message}` })
  } catch {
    return refuse('UNAVAILABLE', `agent ${node}: ${text.slice(0, 300)}`)
  }
}
