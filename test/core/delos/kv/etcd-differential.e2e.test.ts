import { afterAll, beforeAll, expect, test } from 'vitest'
import { createPrng } from '../../../../src/core/kernel/prng.ts'
import { NOBODY, type KvCommand } from '../../../../src/core/delos/kv/command.ts'
import { isRpcError } from '../../../../src/core/delos/kv/errors.ts'
import { createStore } from '../../../../src/core/delos/kv/store.ts'
import { asGateway, etcdMissing, show, startEtcd, type Oracle } from './etcd-oracle.ts'
import { requestSource } from './random-requests.ts'
import { compactCommand, grantCommand, revokeCommand, submit } from './requests.ts'

/** The same requests to a real etcd and to the store, one after the other; every answer has to be the same. */

const OPERATIONS = Number(process.env['KV_DIFFERENTIAL_OPERATIONS'] ?? 4000)
const SEED = Number(process.env['KV_DIFFERENTIAL_SEED'] ?? 20_261)

let oracle: Oracle | undefined

beforeAll(async () => {
  if (etcdMissing === null) oracle = await startEtcd()
})
afterAll(async () => {
  await oracle?.stop()
})

test.skipIf(etcdMissing !== null)(
  `the store answers as etcd does${etcdMissing === null ? '' : ` (${etcdMissing})`}`,
  { timeout: 300_000 },
  async () => {
    const prng = createPrng(SEED)
    // etcd takes 1.5 election timeouts of 1 s as the least TTL, rounded up.
    const store = createStore({ leaseTtlMinS: 2 })
    const source = requestSource(prng, () => store)
    const seen = new Map<string, number>()

    for (let step = 0; step < OPERATIONS; step += 1) {
      const kind = prng.below(100)
      let path: string
      let request: unknown
      let answer: object
      if (kind < 25) {
        const range = source.range()
        path = 'kv/range'
        request = range
        answer = store.range(range, NOBODY)
      } else {
        const command = commandOf(kind, source)
        path = PATHS[command.kind] ?? ''
        request = 'request' in command ? command.request : command.kind === 'leaseGrant' ? { ID: command.id, TTL: command.ttlS } : command
        if (command.kind === 'leaseRevoke') request = { ID: command.id }
        answer = submit(store, command)
      }
      const theirs = await oracle?.ask(path, request)
      const ours = isRpcError(answer) ? { code: answer.code, text: answer.text } : asGateway(answer)
      expect(ours, `step ${step} of seed ${SEED}: ${path} ${show(request)} at revision ${store.revision}`).toEqual(theirs)
      const outcome = isRpcError(answer) ? answer.text : path
      seen.set(outcome, (seen.get(outcome) ?? 0) + 1)
      if (prng.below(10) === 0) store.compactStep(1 + prng.below(5))
    }
    // Otherwise the comparison would say little.
    for (const path of Object.values(PATHS)) expect(seen.get(path) ?? 0, `answers of ${path}`).toBeGreaterThan(10)
    for (const refusal of ['compacted', 'future revision', 'duplicate key', 'key not found', 'lease not found', 'key is not provided']) {
      expect(
        [...seen.keys()].some((key) => key.includes(refusal)),
        refusal,
      ).toBe(true)
    }
  },
)

const PATHS: Record<string, string> = {
  put: 'kv/put',
  deleteRange: 'kv/deleterange',
  txn: 'kv/txn',
  compact: 'kv/compaction',
  leaseGrant: 'lease/grant',
  leaseRevoke: 'lease/revoke',
}

function commandOf(kind: number, source: ReturnType<typeof requestSource>): KvCommand {
  if (kind < 50) return { kind: 'put', request: source.put(), who: NOBODY }
  if (kind < 62) return { kind: 'deleteRange', request: source.deleteRange(), who: NOBODY }
  if (kind < 92) return { kind: 'txn', request: source.txn(), who: NOBODY }
  if (kind < 94) return compactCommand(source.revision())
  if (kind < 97) return revokeCommand(source.lease())
  return grantCommand(source.lease() || 5n, 10_000)
}
