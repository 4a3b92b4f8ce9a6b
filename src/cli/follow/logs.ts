import { errorFromBody, MusterError, type ErrorBody } from '../../core/kernel/errors.ts'
import { linesOf, textOf } from '../../platform/streams.ts'
import type { Client } from '../client.ts'

/** One line that a task wrote; of the stream `muster`: a remark of the server about the task. */
export interface LogLine {
  task: string
  node: string
  stream: string
  line: string
  time?: number
}

export interface LogWish {
  /** JOB, JOB/GROUP or JOB/GROUP[INDEX] */
  target: string
  /** so many last lines of each task */
  lines: number
  isFollowed: boolean
  /** tasks that ended too */
  isAll?: boolean
  /** ms since the epoch */
  sinceMs?: number | undefined
  grep?: string | undefined
  stream?: string | undefined
}

/** Calls back with each line until there are no more, or the signal is aborted; rejects with the server's refusal. */
export async function followLogs(client: Client, wish: LogWish, signal: AbortSignal, onLine: (line: LogLine) => void): Promise<void> {
  const query = new URLSearchParams({ target: wish.target, n: String(wish.lines), stream: wish.stream ?? 'all' })
  if (wish.isFollowed) query.set('follow', '1')
  if (wish.isAll) query.set('all', '1')
  if (wish.sinceMs !== undefined) query.set('since', String(Math.round(wish.sinceMs)))
  if (wish.grep !== undefined) query.set('grep', wish.grep)
  try {
    const response = await client.request('GET', `/v1/tw/logs?${query}`, { signal })
    if (response.statusCode !== 200) throw await refusalOf(response)
    for await (const text of linesOf(response)) onLine(JSON.parse(text) as LogLine)
  } catch (error) {
    if (!signal.aborted) throw error
  }
}

async function refusalOf(response: AsyncIterable<Buffer>): Promise<Error> {
  const text = await textOf(response)
  try {
    return errorFromBody((JSON.parse(text) as { error: ErrorBody }).error)
  } catch {
    return new MusterError('UNAVAILABLE', `the server answered something else: ${text.slice(0, 200)}`)
  }
}
