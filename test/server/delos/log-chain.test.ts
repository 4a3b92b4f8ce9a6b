import { expect, test } from 'vitest'
import type { Entry } from '../../../src/core/contracts/entry.ts'
import type { Segment } from '../../../src/core/delos/virtual-log/value.ts'
import { genesis } from '../../../src/core/delos/virtual-log/genesis.ts'
import { rolloutExpired, rolloutRequested } from '../../../src/core/deploy/entries/rollout.ts'
import { PROFILES, type Profile } from '../../../src/core/deploy/profile.ts'
import { incidentDeclare, incidentResolve } from '../../../src/core/sev/operations.ts'
import { controlSystems } from '../../../src/core/systems.ts'
import { describeChains, entryNumberAt, type ChainSources } from '../../../src/server/delos/log-chain.ts'
import { noteLogMoves } from '../../../src/server/delos/log-moves.ts'
import { encodeBatch } from '../../../src/server/state/entry-batch.ts'
import { newState } from '../../support/state.ts'

const UNSAID = { state: null, region: null, syncP50Ms: null, syncP99Ms: null, clockOffMs: null }

const entry = (position: number): Entry => ({ position, type: 'toy.X', v: 1, at: 0, actor: 'user:a', body: {} })

/** Batches of so many entries at positions 1, 2, …; 0: one that is void. */
function chainOf(sizes: number[], localHead = 1) {
  let first = 1
  const batches = sizes.map((size, i) => {
    const entries = Array.from({ length: Math.max(1, size) }, (_, j) => entry(first + j))
    const payload = encodeBatch({ position: size === 0 ? 999 : i + 1, first, proposer: 1, seq: i, entries })
    first += size
    return { position: i + 1, payload }
  })
  return {
    tailNumber: first,
    source: {
      localHead: () => localHead,
      tail: () => sizes.length + 1,
      read: (from: number, max: number) => batches.filter(({ position }) => position >= from && position < from + max),
    },
  }
}

test('a position of the log beneath is that of the first entry there that counts', () => {
  const { source, tailNumber } = chainOf([3, 1, 0, 0, 2])
  expect([1, 2, 3, 4, 5, 6].map((batch) => entryNumberAt(source, batch, tailNumber))).toEqual([1, 4, 5, 5, 5, 7])
  expect(entryNumberAt(chainOf([3, 1], 2).source, 1, 5), 'no longer kept here').toBe(0)
})

const segment = (loglet: number, kind: Segment['kind'], config: object, firstPosition: number, end: number | null): Segment => ({
  ...{ loglet, kind, config: config as Segment['config'], firstPosition, end, lastRound: 0 },
})

test('segments stand at the numbers of their entries, say who keeps them and who moved them; incidents and rollouts stand beside them', async () => {
  const state = newState(controlSystems)
  state.append([
    rolloutRequested.of({
      ...{
        kind: 'forward',
        service: 'web',
        job: 'web',
        group: 'web',
        release: 'web-2',
        version: 2,
        fromRelease: 'web-1',
        fromVersion: 1,
        tasks: 3,
      },
      ...{ profile: Object.values(PROFILES)[0] as Profile, sticky: null, reason: '' },
    }),
  ])
  state.run(incidentDeclare, { title: 'slow', level: 2 })
  state.append([rolloutExpired.of({ rollout: 1, text: 'nobody came' })])
  const ended = state.entries.length
  const value = {
    ...genesis('00000000000000aa', [{ id: '000000000000000b', name: 'a', addresses: [] }]),
    chain: [segment(1, 'file', { server: 1 }, 1, 3), segment(0xab, 'quorum', { voters: [1], learners: [] }, 3, null)],
  }
  const { source, tailNumber } = chainOf([3, 1, 2])
  const chain = { ...source, value: () => value, lastGapMs: () => 1.5 }
  const log = { head: () => 1, tail: () => tailNumber, read: () => [] }

  const listeners: ((next: typeof value) => void)[] = []
  const notes = noteLogMoves(
    {
      log: { info: () => {}, warn: () => {}, error: () => {} } as never,
      propose: async (actor, decide) => {
        const proposals = decide(state.db, state.now())
        return proposals instanceof Error ? [] : state.append(proposals, actor)
      },
    },
    {
      control: {
        value: () => ({ ...value, chain: value.chain.slice(0, 1) }),
        onValue: (listener) => (listeners.push(listener as never), () => {}),
      },
      kv: { value: () => value, onValue: () => () => {} },
    },
    () => 'a',
  )
  notes.start()
  await notes.during('control', 'user:anna', async () => {
    for (const tell of [...listeners, ...listeners]) tell(value)
  })
  expect(state.entries.filter(({ type }) => type === 'delos.LogMoved').map(({ actor }) => actor)).toEqual(['user:anna'])
  state.run(incidentResolve, { incident: 2, cause: 'unknown' })

  const servers: ChainSources['servers'] = [
    {
      server: 1,
      id: '000000000000000b',
      name: 'a',
      addresses: [],
      role: 'voter',
      leads: true,
      isSelf: true,
      trouble: null,
      lag: 0,
      ...UNSAID,
    },
    {
      server: 2,
      id: '000000000000000c',
      name: 'b',
      addresses: [],
      role: 'learner',
      leads: false,
      isSelf: false,
      trouble: null,
      lag: 1,
      ...UNSAID,
    },
    {
      server: 3,
      id: '000000000000000d',
      name: 'c',
      addresses: [],
      role: 'learner',
      leads: false,
      isSelf: false,
      trouble: 'refused',
      lag: null,
      ...UNSAID,
    },
  ]
  const {
    logs,
    marks,
    servers: shown,
  } = describeChains({
    ...{ db: state.db, now: state.now(), logs: { control: log, kv: log }, chains: { control: chain, kv: chain }, servers, marks: 10 },
  })
  const [control, kv] = logs
  expect(control?.segments.map(({ first, end, batchFirst, where }) => [first, end, batchFirst, where])).toEqual([
    [1, 5, 1, 'a file of a'],
    [5, null, 3, 'voters a'],
  ])
  expect(control?.segments.map(({ moved }) => moved?.actor ?? null)).toEqual([null, 'user:anna'])
  // What stands at a position of the other log is one entry.
  expect(kv?.segments.map(({ first, end }) => [first, end])).toEqual([
    [1, 3],
    [3, null],
  ])
  expect(shown.map(({ applied }) => applied)).toEqual([tailNumber, 5, null])
  expect(marks.map(({ kind, id, title, from, to }) => [kind, id, title, from, to === null ? null : to > from])).toEqual([
    ['rollout', 'r1', 'rollout of web to web-2', 1, true],
    ['incident', '2', 'SEV2 slow', 2, true],
  ])
  expect(marks[0]?.to).toBe(ended)
})
