import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { canaryTasks, profileFileSchema, profileSchema, PROFILES } from '../../../src/core/deploy/profile.ts'

test('every built-in profile is valid, grows from step to step and ends at 100 %', () => {
  for (const profile of Object.values(PROFILES)) {
    const { steps } = profileSchema.parse(profile)
    for (const [i, step] of steps.entries()) expect(step.sharePpm).toBeGreaterThan(steps[i - 1]?.sharePpm ?? 0)
    expect(steps.at(-1)).toMatchObject({ sharePpm: 1_000_000, gateRatio: null })
    expect(profile.alpha).toBe(1e-3)
  }
})

test('the profile in templates/ is valid', () => {
  const file = profileFileSchema.parse(parse(readFileSync('templates/profiles/careful.yaml', 'utf8')))
  expect(file.steps.map((step) => step.sharePpm)).toEqual([5000, 50_000, 250_000, 1_000_000])
})

test.each([
  ['an unknown key', { name: 'x', steps: [{ share: '100%', for: '1m' }], stepz: 1 }],
  [
    'shares that do not grow',
    {
      name: 'x',
      steps: [
        { share: '5%', for: '1m' },
        { share: '5%', for: '1m' },
        { share: '100%', for: '1m' },
      ],
    },
  ],
  ['an end below 100 %', { name: 'x', steps: [{ share: '50%', for: '1m' }] }],
  ['a duration without unit', { name: 'x', steps: [{ share: '100%', for: '10' }] }],
  ['a share over 100 %', { name: 'x', steps: [{ share: '101%', for: '1m' }] }],
])('a profile with %s is refused', (_what, file) => {
  expect(profileFileSchema.safeParse(file).success).toBe(false)
})

test('canary tasks are at least four, at most half of the job below one half, and never none', () => {
  expect(canaryTasks(1000, 100)).toBe(4)
  expect(canaryTasks(250_000, 100)).toBe(30)
  expect(canaryTasks(50_000, 6)).toBe(3)
  expect(canaryTasks(50_000, 1)).toBe(1)
  expect(canaryTasks(1_000_000, 8)).toBe(8)
})
