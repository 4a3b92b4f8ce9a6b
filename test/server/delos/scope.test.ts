import { expect, test } from 'vitest'
import { lockScopes, releaseScopes, scopeList } from '../../../src/core/delos/operations.ts'
import { scopeHolder } from '../../../src/core/delos/queries.ts'
import { delosSystem } from '../../../src/core/delos/system.ts'
import { MusterError } from '../../../src/core/kernel/errors.ts'
import { openStore } from './store.ts'

test('one holder has a scope until it frees it or its time is over', async () => {
  const store = await openStore(delosSystem)
  const { clock } = store
  const lock = (scopes: string[], holder: string, forMs: number): Promise<string> =>
    store.log
      .submit({ actor: holder }, (db, { now }) => {
        const entries = lockScopes(db, now, scopes, holder, now + forMs)
        return entries instanceof MusterError ? entries : { entries, value: () => undefined }
      })
      .then(
        () => '',
        (error: unknown) => (error instanceof MusterError ? error.code : String(error)),
      )
  const release = (holder: string): Promise<unknown> =>
    store.log.submit({ actor: holder }, () => ({ entries: releaseScopes(['service:web'], holder), value: () => undefined }))
  const holder = (): string | undefined => scopeHolder(store.log.db, 'service:web', store.log.now())?.holder

  expect(await lock(['service:web'], 'deploy:1', 1000)).toBe('')
  expect(await lock(['service:api', 'service:web'], 'chaos:2', 1000)).toBe('DELOS_SCOPE_LOCKED')
  // All or nothing: the scope that was free is not taken.
  expect(scopeHolder(store.log.db, 'service:api', store.log.now())).toBeNull()
  expect(await lock(['service:web'], 'deploy:1', 5000)).toBe('')
  clock.now += 4999
  expect(holder()).toBe('deploy:1')
  clock.now += 1
  expect(holder()).toBeUndefined()
  expect(await lock(['service:web'], 'chaos:2', 1000)).toBe('')
  // Who lost it by time must not free its successor's.
  await release('deploy:1')
  expect(holder()).toBe('chaos:2')
  expect(store.ask(scopeList, {}).scopes).toMatchObject([{ scope: 'service:web', holder: 'chaos:2', since: clock.now }])
  await release('chaos:2')
  expect(holder()).toBeUndefined()
  await store.close()
})
