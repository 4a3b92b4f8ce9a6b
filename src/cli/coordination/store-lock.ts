import { hostname } from 'node:os'
import type { StoreClient } from '../../client/connect.ts'
import { leaveDelay, lock, sharedLock, standing, standingRequest } from '../../core/delos/recipes/etcd/lock.ts'
import { bytesOf, textOf } from '../../core/delos/recipes/etcd/request.ts'
import { MusterError } from '../../core/kernel/errors.ts'
import type { PlaceTimes } from '../flags/store.ts'
import { hold } from './hold.ts'
import { keyOf, keyText } from './key-text.ts'

export interface StoreLock extends PlaceTimes {
  name: string
  isShared: boolean
  /** 0: none */
  lockDelayMs: number
  command: readonly string[]
  note: (text: string) => void
}

/** `delos lock run` on a lock of a store: as there, DELOS_LOCK_HELD tells who has it when the wait is over. */
export function runStoreLocked(client: StoreClient, { isShared, lockDelayMs, ...options }: StoreLock): Promise<number> {
  const value = bytesOf(`${hostname()}:${process.pid} ${options.command.join(' ')}`.slice(0, 1000))
  const key = keyOf(options.name)
  return hold(client, {
    ...options,
    what: `the lock ${options.name}`,
    recipe: (lease) => (isShared ? sharedLock : lock)(key, lease, value, lockDelayMs > 0),
    ...(lockDelayMs > 0 ? { delay: { ms: lockDelayMs, leave: (held, lease) => leaveDelay(held, lease, value) } } : {}),
    prefix: 'LOCK',
    onHeld: async () => {},
    late: async () => {
      const { holders, waiting } = standing(key, await client.range(standingRequest(key)))
      const names = holders.map((kv) => textOf(kv.value) || keyText(kv.key))
      const who = names.length === 0 ? 'somebody who has just left' : names.join(', ')
      return new MusterError('DELOS_LOCK_HELD', `the lock ${options.name} is held by ${who}`, {
        hint: 'Wait longer with --wait.',
        details: { holders: names, waiting: waiting.length },
      })
    },
  })
}
