import { generateKeyPairSync } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { parseDuration } from '../../../../src/core/kernel/units.ts'
import { TokenKeys, tokensFrom, type Tokens } from '../../../../src/server/delos/store/tokens.ts'

const dir = mkdtempSync(join(tmpdir(), 'muster-tokens-'))
afterAll(() => rmSync(dir, { recursive: true, force: true }))

const file = (name: string, text: string | Buffer): string => {
  writeFileSync(join(dir, name), text)
  return join(dir, name)
}
const pair = generateKeyPairSync('rsa', { modulusLength: 2048 })
const pub = file('pub', pair.publicKey.export({ type: 'spki', format: 'pem' }))
const priv = file('priv', pair.privateKey.export({ type: 'pkcs8', format: 'pem' }))
const secret = file('secret', 'a secret of the cluster')

let nowMs = 1_795_872_357_000
const open = (spec: string, key = 'k'.repeat(32)): Tokens => tokensFrom(spec, new TokenKeys(Buffer.from(key)), () => nowMs, parseDuration)
const CLAIMS = { user: 'anna', authRevision: 7 }

describe.each([
  ['simple', 'simple', 300_000],
  ['RS256', `jwt,pub-key=${pub},priv-key=${priv},sign-method=RS256,ttl=10m`, 600_000],
  ['HS256', `jwt,priv-key=${secret},sign-method=HS256,ttl=1m`, 60_000],
])('a %s token', (_name, spec, ttlMs) => {
  it('says who it was given to, on every server with the same key', () => {
    expect(open(spec).read(open(spec).issue(CLAIMS))).toEqual(CLAIMS)
  })

  it('is worth nothing once its time is over', () => {
    const tokens = open(spec)
    const token = tokens.issue(CLAIMS)
    nowMs += ttlMs + 1000
    expect(tokens.read(token)).toBeNull()
  })

  it('with any char changed, or of nobody, says nothing', () => {
    const tokens = open(spec)
    const token = tokens.issue(CLAIMS)
    for (let i = 0; i < token.length - 1; i += 1) {
      const other = token[i] === 'A' ? 'B' : 'A'
      expect(tokens.read(token.slice(0, i) + other + token.slice(i + 1)), `char ${i}`).toBeNull()
    }
    for (const wrong of ['', '.', 'a.b', 'a.b.c']) expect(tokens.read(wrong)).toBeNull()
  })
})

it('a simple token of another server is read once its key is known', () => {
  const [one, other] = ['k', 'o'].map((char) => new TokenKeys(Buffer.from(char.repeat(32)))) as [TokenKeys, TokenKeys]
  const token = tokensFrom('simple', one, () => nowMs, parseDuration).issue(CLAIMS)
  const reader = tokensFrom('simple', other, () => nowMs, parseDuration)
  expect(reader.read(token)).toBeNull()
  other.add(one.own)
  expect(reader.read(token)).toEqual(CLAIMS)
})

it.each([
  ['oauth', 'oauth is no kind of token'],
  ['jwt', 'sign-method is missing'],
  ['jwt,sign-method=none', 'sign-method none'],
  ['jwt,sign-method=RS256', 'needs pub-key'],
  ['jwt,sign-method=HS256,priv-key=/nowhere', 'cannot be read (ENOENT)'],
])('--auth-token %s is refused with what is wrong', (spec, why) => {
  expect(() => open(spec)).toThrow(why)
})
