import { openOperator } from '../../client/operator.ts'
import { isRefusal, MusterError } from '../../core/kernel/errors.ts'
import { storeOptions, type StoreFlags } from '../flags/store.ts'
import { lookAtStore } from './look.ts'

/** What one server of a store answered to an operator's call, or why it did not. */
export interface EachAnswer<Answer> {
  server: string
  endpoint: string
  answer: Answer | null
  /** null: it answered */
  problem: { code: string; message: string } | null
}

/**
 * Asks each server of a store the same, one after the other: what is about a server's own disk is no other's to do.
 * @param only name of the one that is meant; all unless said. Rejects with NOT_FOUND for a name that none has, UNAVAILABLE when none answers
 */
export async function askEach<Answer>(
  flags: StoreFlags,
  path: string,
  body: object,
  only: string | undefined,
): Promise<EachAnswer<Answer>[]> {
  const options = storeOptions(flags)
  const { servers } = await lookAtStore(options)
  const meant = servers.filter(({ name }) => only === undefined || name === only)
  if (meant.length === 0)
    throw new MusterError('NOT_FOUND', `no server is named ${only}: there are ${servers.map(({ name }) => name).join(', ')}`)
  const answers: EachAnswer<Answer>[] = []
  for (const { name, endpoint, isReachable, why } of meant) {
    const said = { server: name || endpoint, endpoint }
    if (!isReachable) {
      answers.push({ ...said, answer: null, problem: { code: 'UNAVAILABLE', message: why ?? 'not reached' } })
      continue
    }
    const operator = openOperator({ ...options, endpoints: [endpoint] })
    try {
      answers.push({ ...said, answer: await operator.ask<Answer>(path, body), problem: null })
    } catch (error) {
      if (!isRefusal(error)) throw error
      answers.push({ ...said, answer: null, problem: { code: error.code, message: error.message } })
    } finally {
      operator.close()
    }
  }
  return answers
}

/** Exit code and, when nobody did it, the refusal: with one server it is as if that one had been asked alone. */
export function outcomeOf(answers: readonly EachAnswer<unknown>[]): 'done' | 'partial' | MusterError {
  const failed = answers.filter(({ problem }) => problem !== null)
  if (failed.length === 0) return 'done'
  const [first] = failed
  if (failed.length < answers.length || first?.problem == null) return 'partial'
  return new MusterError(first.problem.code as 'USAGE', failed.map(({ server, problem }) => `${server}: ${problem?.message}`).join('; '))
}
