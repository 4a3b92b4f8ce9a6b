import { setFlagsFromString } from 'node:v8'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { compilePattern, PATTERN_MAX, TEXT_MAX } from '../../../src/core/kernel/pattern.ts'

// The runtime's own expressions go back and forth without end over some of these patterns: it has another way, which it takes then.
setFlagsFromString('--enable-experimental-regexp-engine-on-excessive-backtracks')

const matches = (pattern: string, text: string): boolean => {
  const compiled = compilePattern(pattern)
  if (typeof compiled === 'string') throw new Error(compiled)
  return compiled.test(text)
}

const { pattern: patterns } = fc.letrec<{ pattern: string; atom: string; piece: string }>((tie) => ({
  atom: fc.oneof(
    { maxDepth: 4 },
    fc.constantFrom('a', 'b', 'c', '.', '\\.', '-', '[ab]', '[^a]', '[a-c1]', '\\d', '\\W', '[\\d-]', '[^\\w.]', '^', '$'),
    tie('pattern').map((inner) => `(${inner})`),
    tie('pattern').map((inner) => `(?:${inner})`),
  ),
  piece: fc
    .tuple(tie('atom'), fc.constantFrom('', '', '*', '+', '?', '{2}', '{1,3}', '{0,}'))
    .map(([atom, times]) => (atom === '^' || atom === '$' ? atom : atom + times)),
  pattern: fc.array(fc.oneof(tie('piece'), fc.constant('|')), { maxLength: 5 }).map((parts) => parts.join('')),
}))

test('a pattern that is understood matches what the runtime’s own expression of it matches', () => {
  fc.assert(
    fc.property(patterns, fc.string({ unit: fc.constantFrom('a', 'b', 'c', '1', '.', '-', ' '), maxLength: 8 }), (pattern, text) => {
      const compiled = compilePattern(pattern)
      if (typeof compiled === 'string') expect(compiled).toMatch(/too large|has at most/)
      else expect(compiled.test(text), `${pattern} on "${text}"`).toBe(new RegExp(pattern).test(text))
    }),
    { numRuns: 2000 },
  )
})

test('patterns that stall a backtracking engine end after steps × characters', () => {
  const text = 'a'.repeat(TEXT_MAX)
  expect(matches('(a+)+b', text)).toBe(false)
  expect(matches('(a|a)*(a|a)*(a|a)*b', text)).toBe(false)
  expect(matches('(.*)*(.*)*x{20}$', text)).toBe(false)
  expect(matches('^(a?){50}a{50}', text)).toBe(true)
})

test.each([
  ['(?=a)', /only \(\?: is understood/],
  ['(a)\\1', /\\1 is not understood/],
  ['\\bweb', /\\b is not understood/],
  ['a+?', /lazy/],
  ['a{2', /starts a repetition/],
  ['*a', /nothing stands before \*/],
  ['(a', /without a closing/],
  ['a)', /without an opening/],
  ['[a', /without a closing/],
  ['[z-a]', /ends before it begins/],
  ['((a{100}){100})', /too large/],
  ['a'.repeat(PATTERN_MAX + 1), /at most 256/],
])('%s is refused with its reason', (pattern, reason) => {
  expect(compilePattern(pattern)).toMatch(reason)
})
