import type { IncomingMessage } from 'node:http'
import { type ErrorBody, isRefusal, type MusterError, refuse } from '../../core/kernel/errors.ts'
import { findTask, isBatch, jobRow, parseTarget, taskName, tasksBySelector } from '../../core/tw/queries.ts'
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
  if (living.length > 0 && !isBatch(jobRow(host.db, selector.job)?.kind)) return living
  // By id, so that the last of each index wins.
  const all = tasksBySelector(host.db, { ...selector, isAll: true }).toSorted((a, b) => a.id - b.id)
  const ended = new Map(all.map((place) => [place.task, place]))
  for (const { task } of living) ended.delete(task)
  return [...living, ...ended.values()]
}

/**
 * One request to an agent's control socket, which is on the machine of the server that the agent talks to. Rejects with UNAVAILABLE; `details` is
 * then an {@link AgentRefusal} where the agent gave an answer.
 */
export function askAgent(host: ServerHost, node: string, path: string, method = 'GET', body?: string): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const sent = host.askAgent(node, { path, method }, (response) => {
      if (response.statusCode === 200) resolve(response)
      else textOf(response).then((text) => reject(agentRefused(node, text)), reject)
    })
    sent.on('error', (error) => reject(refuse('UNAVAILABLE', `agent ${node} does not answer: ${error.message}`, { cause: error })))
    sent.end(body)
  })
}

/** What an agent answered instead. */
export interface AgentRefusal {
  agentCode: string
}

function agentRefused(node: string, text: string): MusterError {
  const said = parsedError(text)
  if (said === null) return refuse('UNAVAILABLE', `agent ${node}: ${text.slice(0, 300)}`)
  return refuse('UNAVAILABLE', `agent ${node}: ${said.message}`, { details: { agentCode: said.code } satisfies AgentRefusal })
}

function parsedError(text: string): ErrorBody | null {
  try {
    return (JSON.parse(text) as { error?: ErrorBody }).error ?? null
  } catch {
    // Of a server in between: it says why it does not reach the agent in plain text.
    return null
  }
}

/** Whether an agent said that it has nothing of this kind: it is of a release from before there was. */
export function isUnknownToAgent(error: unknown): boolean {
  return isRefusal(error) && (error.details as Partial<AgentRefusal> | undefined)?.agentCode === 'NOT_FOUND'
}
