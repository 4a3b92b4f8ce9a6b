import { existsSync } from 'node:fs'
import type { ReadDb, SqlValue } from '../core/contracts/storage.ts'
import { isRefusal, MusterError } from '../core/kernel/errors.ts'
import type { AnyOperation } from './reference.ts'
import type { Answer } from './client.ts'

/**
 * Answers a query from `state.db` itself, read-only, when no server runs: the state as of the last entry it applied.
 * Only queries can be answered so; anything else, and a missing state, gives back `down`.
 */
export async function answerOffline<T>(stateDb: string, operation: AnyOperation, input: unknown, actor: string, down: MusterError): Promise<Answer<T>> {
  if (operation.kind !== 'query' || !existsSync(stateDb)) throw down
  const parsed = operation.input.safeParse(input)
  if (!parsed.success) throw new MusterError('USAGE', parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`).join('; '))
  const { default: Database } = await import('better-sqlite3')
  const database = new Database(stateDb, { readonly: true, timeout: 1000 })
  try {
    const db: ReadDb = {
      get: <R>(sql: string, ...params: SqlValue[]) => database.prepare(sql).get(...params) as R | undefined,
      all: <R>(sql: string, ...params: SqlValue[]) => database.prepare(sql).all(...params) as R[],
    }
    // oxlint-disable-next-line no-restricted-globals -- shells may read the clock
    const data = operation.answer(db, parsed.data, { now: Date.now(), actor, role: 'viewer', position: 0 })
    if (isRefusal(data)) throw data
    return { data: data as T, warnings: ['No server answers: this is read from the state on disk, as of the last entry it applied.'], position: 0 }
  } finally {
    database.close()
  }
}
