import { existsSync } from 'node:fs'
import { isRefusal, MusterError } from '../core/kernel/errors.ts'
import type { AnyOperation } from './reference.ts'
import type { Answer } from './client.ts'

/**
 * Answers a query from `state.db` itself, read-only, when no server runs: the state as of the last entry it applied.
 * Only queries can be answered so; anything else, and a missing state, gives back `down`.
 */
export async function answerOffline<T>(
  stateDb: string,
  operation: AnyOperation,
  input: unknown,
  actor: string,
  down: MusterError,
): Promise<Answer<T>> {
  if (operation.kind !== 'query' || !existsSync(stateDb)) throw down
  const parsed = operation.input.safeParse(input)
  if (!parsed.success)
    throw new MusterError('USAGE', parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`).join('; '))
  const { openReadDb } = await import('../server/state/state-db.ts')
  const db = openReadDb(stateDb)
  try {
    const data = operation.answer(db, parsed.data, { now: Date.now(), actor, role: 'viewer', position: 0 })
    if (isRefusal(data)) throw data
    return {
      data: data as T,
      warnings: ['No server answers: this is read from the state on disk, as of the last entry it applied.'],
      position: 0,
    }
  } finally {
    db.close()
  }
}
