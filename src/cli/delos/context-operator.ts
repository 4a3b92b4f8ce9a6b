import { answerOf, type Operator } from '../../client/operator.ts'
import { textOf } from '../../platform/streams.ts'
import type { Client } from '../client.ts'

/** Operators' calls to the servers of a context, about one of its logs. */
export function contextOperator(client: Client, log: 'control' | 'kv'): Operator {
  return {
    ask: async <Answer>(path: string, body: object): Promise<Answer> => {
      const headers = { 'content-type': 'application/json' }
      const answer = await client.request('POST', `/v1/delos/operator/${log}/${path}`, { headers, body: JSON.stringify(body) })
      return answerOf({ origin: 'the server of this context' }, answer.statusCode ?? 0, await textOf(answer)) as Answer
    },
    close: () => undefined,
  }
}
