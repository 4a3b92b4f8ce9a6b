import { refuse, type MusterError } from '../../kernel/errors.ts'
import { isDelay, standing, standingRequest } from '../recipes/etcd/lock.ts'
import { whileHeld } from '../recipes/etcd/queue.ts'
import type * as m from '../wire/messages.ts'
import { ask, type Program } from './program.ts'
import { keyOf } from './text.ts'

/**
 * The comparison that holds only while a token holds its lock. A later turn has another token, so once it held the lock, its key alone
 * says whether it still does. @param fence `LOCK:TOKEN`
 */
export function* fenceOf(fence: string): Program<m.Compare | MusterError> {
  const at = fence.lastIndexOf(':')
  const [name, token] = [fence.slice(0, at), Number(fence.slice(at + 1))]
  const { holders } = standing(keyOf(name), yield* ask('KV/Range', standingRequest(keyOf(name))))
  const holder = holders.find((kv) => kv.create_revision === token && !isDelay(kv))
  if (holder !== undefined) return whileHeld({ key: holder.key, token })
  const [first] = holders
  const who = first === undefined ? 'nobody holds it' : `token ${first.create_revision} holds it`
  return refuse('DELOS_FENCED', `Token ${token} does not hold the lock ${name}: ${who}.`, {
    details: { lock: name, token, holder: first?.create_revision ?? null },
  })
}
