import fc from 'fast-check'
import { expect, test } from 'vitest'
import { BatchWriter, readBatch } from '../../../../src/core/delos/engines/batch.ts'
import type { KvCommand } from '../../../../src/core/delos/kv/command.ts'
import { decodeCommand, encodeBody } from '../../../../src/core/delos/kv/command-codec.ts'
import type { Compare } from '../../../../src/core/delos/wire/messages.ts'
import { COMMAND_KIND } from '../../../../src/core/delos/kv/command-kind.ts'

const key = fc.uint8Array({ maxLength: 20 }).map((bytes) => String.fromCharCode(...bytes))
const value = fc.uint8Array({ maxLength: 200 })
const id = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })
const who = fc.record({ user: fc.string({ maxLength: 30 }), authRevision: fc.nat() })
const put = fc.record({ key, value, lease: id, prev_kv: fc.boolean(), ignore_value: fc.boolean(), ignore_lease: fc.boolean() })
const deleteRange = fc.record({ key, range_end: key, prev_kv: fc.boolean() })
const NO_OP = { request_range: null, request_put: null, request_delete_range: null, request_txn: null }
const op = fc.oneof(
  put.map((request_put) => ({ ...NO_OP, request_put })),
  deleteRange.map((request_delete_range) => ({ ...NO_OP, request_delete_range })),
)
const txn = fc.record({
  compare: fc.constant<Compare[]>([]),
  success: fc.array(op, { maxLength: 4 }),
  failure: fc.array(op, { maxLength: 4 }),
})
const auth = fc.oneof(
  fc.constantFrom({ kind: 'enable' } as const, { kind: 'disable' } as const),
  fc.record({ kind: fc.constant('userAdd' as const), name: fc.string(), passwordHash: fc.string(), noPassword: fc.boolean() }),
  fc.record({
    kind: fc.constant('roleGrantPermission' as const),
    role: fc.string(),
    permission: fc.record({ permType: fc.nat(2), key, range_end: key }),
  }),
)

const command: fc.Arbitrary<KvCommand> = fc.oneof(
  fc.record({ kind: fc.constant('put' as const), request: put, who }),
  fc.record({ kind: fc.constant('deleteRange' as const), request: deleteRange, who }),
  fc.record({ kind: fc.constant('txn' as const), request: txn, who }),
  fc.record({ kind: fc.constant('compact' as const), request: fc.record({ revision: fc.nat(), physical: fc.boolean() }), who }),
  fc.record({ kind: fc.constant('leaseGrant' as const), id, ttlS: fc.nat(), who }),
  fc.record({ kind: fc.constant('leaseRevoke' as const), id, who }),
  fc.record({ kind: fc.constant('leasesExpired' as const), ids: fc.array(id), epoch: fc.nat() }),
  fc.record({
    kind: fc.constant('leaseCheckpoint' as const),
    checkpoints: fc.array(fc.record({ id, remainingS: fc.nat() })),
    epoch: fc.nat(),
  }),
  fc.record({ kind: fc.constant('leaderClaimed' as const), serverId: fc.string() }),
  fc.record({
    kind: fc.constant('alarm' as const),
    action: fc.constantFrom('raise' as const, 'clear' as const),
    memberId: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
    type: fc.nat(2),
    who: fc.option(who),
  }),
  fc.record({ kind: fc.constant('auth' as const), change: auth, who }),
)

test('a command is read from the log as it was put there: the server that proposed it and all others apply the same', () => {
  fc.assert(
    fc.property(command, (given) => {
      const by = 'who' in given ? given.who : null
      const writer = new BatchWriter()
      writer.add(COMMAND_KIND[given.kind], encodeBody(given), new TextEncoder().encode(by?.user ?? ''), by?.authRevision ?? 0)
      const [entry] = readBatch(writer.finish({ timeMs: 1, proposer: 1, seq: 1 }))?.entries ?? []
      const read = entry === undefined ? null : decodeCommand(entry)
      // Commands of the leader's clock have nobody who asked; whether the field is there makes no difference to them.
      if (!('who' in given)) expect(read).toMatchObject(given)
      else expect(read).toEqual(given)
    }),
    { numRuns: 1000 },
  )
})

test('a kind that this version does not know is not guessed at', () => {
  expect(decodeCommand({ kind: 200, user: new Uint8Array(), authRevision: 0, body: new Uint8Array() })).toBeNull()
})
