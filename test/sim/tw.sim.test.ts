import { expect, test } from 'vitest'
import type { TwOptions, TwResult } from '../../sim/tw/options.ts'
import { TwWorld } from '../../sim/tw/world.ts'

const run = (seed: number, more: Partial<TwOptions> = {}): TwResult => new TwWorld({ seed, mutant: null, ...more }).run()

test('the same seed gives the same run, another seed another', () => {
  expect(run(5)).toEqual(run(5))
  expect(run(5).traceHash).not.toBe(run(6).traceHash)
})

test('a run that is read along is the same run', () => {
  const lines: string[] = []
  expect(run(5, { tell: (line) => lines.push(line) })).toEqual(run(5))
  expect(lines.length).toBeGreaterThan(20)
})
