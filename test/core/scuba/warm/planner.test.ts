import { expect, test } from 'vitest'
import type { Artefact, ArtefactSpec } from '../../../../src/core/scuba/warm/artefact.ts'
import { HEAT, Heat } from '../../../../src/core/scuba/warm/heat.ts'
import { planWarm, wantKey, type WarmView } from '../../../../src/core/scuba/warm/planner.ts'
import type { Segment } from '../../../../src/core/scuba/wal/manifest.ts'

const HOUR_MS = 3_600_000
const spec: ArtefactSpec = { kind: 'bloom', column: 'trace' }
const segment = (number: number): Segment => ({
  file: `s${number}`,
  table: 't',
  rows: 1000,
  bytes: 1000,
  sha256: '',
  minUs: number * 1000,
  maxUs: number * 1000 + 999,
})
const built = (number: number, bytes = 80): Artefact => ({
  file: `a${number}`,
  table: 't',
  segment: `s${number}`,
  spec,
  bytes,
  rows: 1,
  builtAtMs: 0,
  buildMs: 1,
})
const view = (heat: Heat, nowMs: number, more: Partial<WarmView> = {}): WarmView => ({
  segments: [segment(1), segment(2), segment(3)],
  built: [],
  wants: heat.wants(nowMs),
  useless: new Set(),
  notCopied: new Map(),
  backlogShare: 0,
  budgetMin: 0,
  nowMs,
  ...more,
})

test('nothing is built for what was asked once and cheaply, and the newest segments come first for what is hot', () => {
  const heat = new Heat()
  heat.note('t', spec, HEAT.buildMs - 1, 0, 0)
  expect(planWarm(view(heat, 0)).build).toEqual([])
  heat.note('t', spec, 2, 2000, 0)
  expect(planWarm(view(heat, 0)).build.map((one) => one.segment.file)).toEqual(['s3', 's2', 's1'])
})

test('heat halves each hour, so old cost alone does not build', () => {
  const heat = new Heat()
  heat.note('t', spec, HEAT.buildMs * 1.9, 0, 0)
  expect(planWarm(view(heat, 0)).build).toHaveLength(3)
  expect(planWarm(view(heat, HOUR_MS)).build).toEqual([])
})

test('only segments that were asked for are built for', () => {
  const heat = new Heat()
  heat.note('t', spec, HEAT.buildMs, 3000, 0)
  expect(planWarm(view(heat, 0)).build.map((one) => one.segment.file)).toEqual(['s3'])
})

test('artefacts stay within a fifth of the bytes of their table: what is over goes, and no more is built', () => {
  const heat = new Heat()
  heat.note('t', spec, 1e6, 0, 0)
  expect(planWarm(view(heat, 0, { built: [built(1, 300), built(2, 299)] })).build).toEqual([])
  expect(planWarm(view(heat, 0, { built: [built(1, 400), built(2, 400)] })).drop.map(({ why }) => why)).toEqual(['budget'])
})

test('nothing is built while rows wait to be sealed, nor what was no help before', () => {
  const heat = new Heat()
  heat.note('t', spec, 1e6, 0, 0)
  expect(planWarm(view(heat, 0, { backlogShare: 0.25 })).build).toEqual([])
  expect(planWarm(view(heat, 0, { useless: new Set([wantKey('t', spec)]) })).build).toEqual([])
})

test('an artefact goes with its segment, and after six hours below a quarter of the heat it was built at', () => {
  const heat = new Heat()
  heat.note('t', spec, HEAT.buildMs, 0, 0)
  const plan = (nowMs: number, segments = [segment(1)]): string[] =>
    planWarm(view(heat, nowMs, { segments, built: [built(1)] })).drop.map(({ why }) => why)
  expect(plan(0, [segment(2)])).toEqual(['segment gone'])
  expect(plan(3 * HOUR_MS)).toEqual([])
  expect(plan(8 * HOUR_MS)).toEqual([])
  expect(plan(9 * HOUR_MS + 1)).toEqual(['cold'])
})
