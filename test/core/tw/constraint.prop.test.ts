import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { compileConstraint, meets, parseConstraint } from '../../../src/core/tw/constraint.ts'

const holds = (text: string, attributes: Record<string, string>): boolean => {
  const constraint = parseConstraint(text)
  if (typeof constraint === 'string') throw new Error(constraint)
  const answer = compileConstraint(constraint)(attributes)
  expect(meets(constraint, attributes)).toBe(answer)
  return answer
}

test.each([
  ['node.region = eu', { region: 'eu' }, { region: 'us' }],
  ['node.arch != arm64', { arch: 'amd64' }, { arch: 'arm64' }],
  ['node.region in [eu, us]', { region: 'us' }, { region: 'ap' }],
  ['node.region not in [eu, us]', { region: 'ap' }, { region: 'us' }],
  ['node.region not-in eu,us', { region: 'ap' }, { region: 'eu' }],
  ['node.kernel >= 6.1', { kernel: '6.1.0-18-amd64' }, { kernel: '5.10.0' }],
  ['node.kernel < 6.1', { kernel: '5.10.209' }, { kernel: '6.1.0-18-amd64' }],
  ['node.kernel > 6.1', { kernel: '6.2.0' }, { kernel: '6.1.99' }],
  ['node.runtime >= 1.10.0', { runtime: 'v1.10.0+build.5' }, { runtime: '1.10.0-rc.2' }],
  ['node.runtime <= 1.10.0-rc.10', { runtime: '1.10.0-rc.2' }, { runtime: '1.10.0' }],
  ['node.cores >= 8', { cores: '16' }, { cores: '4' }],
  ['node.name ~ ^web-\\d+$', { name: 'web-12' }, { name: 'web-x' }],
  ['node.features has [avx2, sse4]', { features: 'sse4, avx, avx2' }, { features: 'avx2' }],
  ['node.meta.tier is set', { 'meta.tier': '' }, {}],
  ['node.meta.tier is-not-set', {}, { 'meta.tier': 'gold' }],
])('%s holds for %j and not for %j', (text, good, bad) => {
  expect(holds(text, good as Record<string, string>)).toBe(true)
  expect(holds(text, bad as Record<string, string>)).toBe(false)
})

test('a missing attribute fails everything but !=, not-in and is-not-set', () => {
  const right: Record<string, string> = {
    '=': 'a',
    '!=': 'a',
    '<': '1',
    '<=': '1',
    '>': '1',
    '>=': '1',
    '~': '.*',
    in: 'a',
    'not-in': 'a',
    has: 'a',
    'is-set': '',
    'is-not-set': '',
  }
  const met = Object.entries(right).flatMap(([operator, value]) => (holds(`node.x ${operator} ${value}`, { y: 'a' }) ? [operator] : []))
  expect(met).toEqual(['!=', 'not-in', 'is-not-set'])
  expect(holds('node.constructor is set', {})).toBe(false)
})

test.each([
  ['region = eu', /not of the form/],
  ['node.region == eu', /with one =/],
  ['node.region', /the operators are = !=/],
  ['node.region in []', /names no value/],
  ['node.region =', /names no value/],
  ['node.kernel >= new', /new is neither a version nor a number/],
  ['node.name ~ (a+', /opening bracket without a closing one/],
  ['node.name ~ (?<=x)y', /only \(\?: is understood/],
])('%s is refused with its reason', (text, reason) => {
  expect(parseConstraint(text)).toMatch(reason)
})

describe('properties', () => {
  const version = fc
    .tuple(
      fc.nat(20),
      fc.nat(20),
      fc.nat(20),
      fc.option(fc.array(fc.oneof(fc.nat(20).map(String), fc.constantFrom('rc', 'beta', 'x-y')), { minLength: 1, maxLength: 3 })),
    )
    .map(([a, b, c, pre]) => `${a}.${b}.${c}${pre === null ? '' : `-${pre.join('.')}`}`)

  test('of < and >=, and of > and <=, exactly one holds of every version', () => {
    fc.assert(
      fc.property(version, version, (actual, bound) => {
        const at = { v: actual }
        expect(holds(`node.v < ${bound}`, at)).toBe(!holds(`node.v >= ${bound}`, at))
        expect(holds(`node.v > ${bound}`, at)).toBe(!holds(`node.v <= ${bound}`, at))
      }),
    )
  })

  test('the order of versions is total: antisymmetric and transitive', () => {
    fc.assert(
      fc.property(version, version, version, (a, b, c) => {
        const isAtMost = (x: string, y: string): boolean => holds(`node.v <= ${y}`, { v: x })
        expect(isAtMost(a, b) || isAtMost(b, a)).toBe(true)
        if (isAtMost(a, b) && isAtMost(b, c)) expect(isAtMost(a, c)).toBe(true)
        if (isAtMost(a, b) && isAtMost(b, a)) expect(holds(`node.v < ${b}`, { v: a })).toBe(false)
      }),
    )
  })

  test('in and not-in, = and != are opposites on every attribute that is there', () => {
    const value = fc.constantFrom('a', 'b', 'c')
    fc.assert(
      fc.property(value, fc.array(value, { minLength: 1 }), (actual, list) => {
        const at = { x: actual }
        expect(holds(`node.x in [${list.join(',')}]`, at)).toBe(!holds(`node.x not-in [${list.join(',')}]`, at))
        expect(holds(`node.x = ${list[0]}`, at)).toBe(!holds(`node.x != ${list[0]}`, at))
      }),
    )
  })

  test('no text makes the parser throw', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), (left, right) => {
        expect(() => parseConstraint(`node.${left} ~ ${right}`)).not.toThrow()
        expect(() => parseConstraint(right)).not.toThrow()
      }),
    )
  })
})
