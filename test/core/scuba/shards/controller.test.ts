import { expect, test } from 'vitest'
import type { Controller } from '../../../../src/core/contracts/controller.ts'
import type { CopyState, HeldCopy, Observed, PeerSeen, RegistrySoft } from '../../../../src/core/scuba/observed.ts'
import { scubaTablePut } from '../../../../src/core/scuba/operations/tables.ts'
import { declarationSchema } from '../../../../src/core/scuba/declared/declaration.ts'
import { LeafJoined, LeafLeft, LeafLost } from '../../../../src/core/scuba/entries/leaves.ts'
import { registryOf, storedShards } from '../../../../src/core/scuba/registry-state.ts'
import { END_LEAF } from '../../../../src/core/scuba/shards/leave.ts'
import { scubaLeafLeave } from '../../../../src/core/scuba/operations/segments.ts'
import { shardController } from '../../../../src/core/scuba/shards/controller.ts'
import { scubaSystem } from '../../../../src/core/scuba/system.ts'
import { newState } from '../../../support/state.ts'

const CONTROLLERS = [shardController as Controller]
const LEAVES = ['a', 'b', 'c']

/** Three leaves of three nodes, and a table that asks for so many copies. */
function fleet(replicas: number) {
  const state = newState([scubaSystem])
  const seen = new Map<string, Partial<Observed>>()
  const soft = (): RegistrySoft => ({
    ...{ observed: null, leaf: null, silentSinceMs: null },
    peers: LEAVES.map((leaf): PeerSeen => ({
      ...{ leaf, silentSinceMs: null, health: null },
      observed: {
        ...{ leaf, mark: '', registryVersion: state.entries.at(-1)?.position ?? 0, tables: {}, lost: [], notes: [], broken: [] },
        ...seen.get(leaf),
      },
    })),
  })
  const settle = (): unknown => state.settle(CONTROLLERS, soft)
  for (const leaf of LEAVES) state.append([LeafJoined.of({ leaf, node: leaf, address: `https://${leaf}:1` })])
  settle()
  state.run(scubaTablePut, { declaration: declarationSchema.parse({ table: 'events', replicas }) })
  settle()
  const shard = (id: string) => storedShards(state.db).find((one) => one.id === id)
  return { state, seen, settle, shard, soft }
}

const following = (leaf: string): CopyState => ({ leaf, state: 'following', waitingBytes: 0 })
const held = (of: string, epoch: number): HeldCopy => ({ of, seq: 5, epochs: { [of]: epoch }, segments: 0, rows: 0 })

test('each leaf has a shard, and copies of it on others while a table asks for them', () => {
  const { state, shard } = fleet(2)
  for (const leaf of LEAVES) {
    expect(shard(leaf)).toMatchObject({ epoch: 2, primary: leaf })
    expect(Object.keys(shard(leaf)?.replicas ?? {})).toHaveLength(1)
  }
  const [first] = registryOf(state.db, 1).shards
  expect(first).toMatchObject({ id: 'a', node: 'a', replicas: [{ address: expect.stringMatching('^https:') as string }] })
  expect(fleet(1).shard('a')).toMatchObject({ epoch: 1, replicas: {} })
})

test('the shard of a lost leaf goes to a whole copy that followed to the end, and to no other', () => {
  const { state, seen, settle, shard } = fleet(3)
  const lose = (): void => {
    state.append([LeafLost.of({ leaf: 'a' })])
    settle()
  }
  lose()
  expect(shard('a')).toMatchObject({ primary: 'a' })
  // Whole at an epoch before it was asked for; and whole, but behind when the leaf was last heard.
  seen.set('a', { copies: [following('b'), { ...following('c'), state: 'away' }] })
  seen.set('b', { holds: [held('a', 1)] })
  seen.set('c', { holds: [held('a', 2)] })
  settle()
  expect(shard('a')).toMatchObject({ primary: 'a' })
  seen.set('b', { holds: [held('a', 2)] })
  settle()
  expect(shard('a')).toMatchObject({ primary: 'b', epoch: 3 })
  expect(state.replay().digest()).toBe(state.digest())
})

test('a leaf that is back gets another shard once it works by the map that gave its own away', () => {
  const { state, seen, settle, shard } = fleet(2)
  const [holder = ''] = Object.keys(shard('a')?.replicas ?? {})
  seen.set('a', { copies: [following(holder)] })
  seen.set(holder, { holds: [held('a', 2)] })
  state.append([LeafLost.of({ leaf: 'a' })])
  settle()
  expect(shard('a')?.primary).toBe(holder)
  seen.set('a', { registryVersion: 1 })
  state.append([LeafJoined.of({ leaf: 'a' })])
  settle()
  expect(shard('a.2')).toBeUndefined()
  seen.delete('a')
  settle()
  expect(shard('a.2')).toMatchObject({ primary: 'a' })
  expect(shard('a')?.primary).toBe(holder)
})

test('a leaf that leaves gives its shards away when all it has is copied, once it takes no rows any more, and ends when they are taken over', () => {
  const { state, seen, settle, shard, soft } = fleet(1)
  state.run(scubaLeafLeave, { node: 'a' })
  const [to = ''] = ['b', 'c'].filter((leaf) => (state.entries.at(-1)?.body as { to?: string } | undefined)?.to === leaf)
  settle()
  expect(Object.keys(shard('a')?.replicas ?? {})).toEqual([to])
  const types = (): string[] => state.entries.map(({ type }) => type)
  const say = (copy: Partial<CopyState>): void => {
    seen.set('a', { copies: [{ ...following(to), ...copy }] })
    settle()
  }
  say({ of: 'replicated' })
  say({ of: 'copying', state: 'catching-up' })
  expect(types()).not.toContain('scuba.LeafDraining')
  say({ of: 'copying' })
  expect(types().at(-1)).toBe('scuba.LeafDraining')
  expect(registryOf(state.db, 1).shards.find(({ id }) => id === 'a')).toMatchObject({ leaving: 'draining' })
  say({ of: 'draining', waitingBytes: 5 })
  expect(shard('a')?.primary).toBe('a')
  say({ of: 'draining' })
  expect(shard('a')).toMatchObject({ primary: to })
  // It gets no other shard, and is not ended before the other one says that the rows are its own.
  const effects = () => shardController.effects?.(state.db, state.now(), soft()) ?? []
  expect(effects()).toEqual([])
  seen.set(to, { owns: [to, 'a'] })
  expect(effects()).toMatchObject([{ kind: END_LEAF, body: { leaf: 'a', node: 'a' } }])
  state.append([LeafLeft.of({ leaf: 'a' })])
  settle()
  expect(registryOf(state.db, 1).leaves.map(({ id }) => id)).toEqual(['b', 'c'])
  expect(state.replay().digest()).toBe(state.digest())
})

test('the last leaf that could take what another has does not leave', () => {
  const { state } = fleet(1)
  state.append([LeafLost.of({ leaf: 'b' }), LeafLost.of({ leaf: 'c' })])
  expect(() => state.run(scubaLeafLeave, { node: 'a' })).toThrow('no other leaf can take')
  expect(() => state.run(scubaLeafLeave, { node: 'b' })).toThrow('does not answer')
})
