import { expect, test } from 'vitest'
import { formatJoinToken, parseAddress, parseJoinToken } from '../../../../src/core/contracts/join-token.ts'
import { memberCertify, memberIssue, memberJoin } from '../../../../src/core/delos/operations.ts'
import { delosSystem } from '../../../../src/core/delos/system.ts'
import { isRefusal, MusterError } from '../../../../src/core/kernel/errors.ts'
import { newState, type TestState } from '../../../support/state.ts'

const TOKEN = {
  cluster: '00000000000000c1',
  address: '10.0.0.4:2380',
  fingerprint: 'f'.repeat(43),
  secret: `${'s'.repeat(42)}-`,
}

test('a token is read back as it was written, wherever its server is', () => {
  for (const address of ['10.0.0.4:2380', 'a.b.example:1', '[fe80::1]:65535', 'localhost:7700'])
    expect(parseJoinToken(`${formatJoinToken({ ...TOKEN, address })}\n`)).toEqual({ ...TOKEN, address })
})

test('a wrong token is refused with which part is wrong, and without its secret', () => {
  const refusedAs = (text: string): string => {
    const parsed = parseJoinToken(text)
    if (!isRefusal(parsed)) throw new Error(`taken: ${text}`)
    expect(parsed.code).toBe('USAGE')
    expect(parsed.message).not.toContain('sss')
    return parsed.message
  }
  const good = formatJoinToken(TOKEN)
  expect(refusedAs('')).toContain('does not begin with muster1')
  expect(refusedAs(good.replace('muster1', 'muster2'))).toContain('of form muster2')
  expect(refusedAs('muster1.a.b')).toContain('3 parts')
  expect(refusedAs(good.replace(TOKEN.cluster, 'c1'))).toContain('cluster')
  expect(refusedAs(good.replace(':2380', ''))).toContain('HOST:PORT')
  expect(refusedAs(good.replace(':2380', ':0'))).toContain('HOST:PORT')
  expect(refusedAs(good.replace('ff', 'f'))).toContain('fingerprint in it has 42 characters')
  expect(refusedAs(good.slice(0, -1))).toContain('secret in it has 42 characters')
  expect(parseAddress('[::1]:80')).toEqual({ host: '::1', port: 80 })
  expect(parseAddress('a b:80')).toBeNull()
})

const hash = (digit: string): string => digit.repeat(64)
const asks = (server: string, key: string, token = hash('a')) => ({
  ...{ token, server: server.repeat(16), key: hash(key), name: `server-${server}`, serial: server.repeat(32) },
  ...{ notBefore: 1000, notAfter: 2000, address: '10.0.0.5:2380', isVoter: false },
})

function refusal(act: () => unknown): MusterError {
  try {
    act()
  } catch (error) {
    if (error instanceof MusterError) return error
    throw error
  }
  throw new Error('it was not refused')
}

const types = (state: TestState): string[] => state.entries.map(({ type }) => type)

test('one use of a token is one member, also when the same key asks again', () => {
  const state = newState([delosSystem])
  state.run(memberIssue, { hash: hash('a'), uses: 2, ttlMs: 60_000 })
  const first = state.run(memberJoin, asks('1', '1'))
  expect(first).toMatchObject({ server: '1'.repeat(16), isNew: true })
  // The answer was lost, and the host proposes another id.
  const { length } = state.entries
  expect(state.run(memberJoin, { ...asks('9', '1'), name: first.name })).toEqual({ ...first, isNew: false })
  expect(state.entries).toHaveLength(length)
  // Its name was taken, and it comes with another one.
  expect(state.run(memberJoin, { ...asks('9', '1'), name: 'other' })).toEqual({ ...first, name: 'other', isNew: false })
  expect(state.db.get('SELECT server, name FROM delos_cert')).toEqual({ server: first.server, name: 'other' })
  expect(state.run(memberJoin, asks('2', '2')).isNew).toBe(true)
  expect(refusal(() => state.run(memberJoin, asks('3', '3')))).toMatchObject({ code: 'DELOS_TOKEN_USED', exit: 4 })
  // Who used it up is still told again.
  expect(state.run(memberJoin, asks('2', '2')).server).toBe('2'.repeat(16))
  expect(types(state)).toEqual([
    'delos.JoinTokenIssued',
    ...['delos.JoinTokenUsed', 'delos.CertificateIssued', 'delos.CertificateIssued'],
    ...['delos.JoinTokenUsed', 'delos.CertificateIssued'],
  ])
  expect(state.replay().digest()).toBe(state.digest())
})

test('a token that is unknown or over is refused, and so is a server that was removed', () => {
  const state = newState([delosSystem])
  expect(refusal(() => state.run(memberJoin, asks('1', '1'))).code).toBe('DELOS_TOKEN_UNKNOWN')
  state.run(memberIssue, { hash: hash('a'), uses: 5, ttlMs: 60_000 })
  state.run(memberJoin, asks('1', '1'))
  const removed = ['1'.repeat(16)]
  expect(refusal(() => state.run(memberJoin, { ...asks('1', '1'), removed })).code).toBe('DELOS_MEMBER_REMOVED')
  state.run(memberIssue, { hash: hash('b'), uses: 1, ttlMs: 60_000 })
  const before = state.entries.length
  expect(refusal(() => state.run(memberJoin, { ...asks('7', '1', hash('b')), removed })).code).toBe('DELOS_MEMBER_REMOVED')
  expect(state.entries).toHaveLength(before)
  state.advance(60_000)
  expect(refusal(() => state.run(memberJoin, asks('2', '2')))).toMatchObject({ code: 'DELOS_TOKEN_EXPIRED', exit: 4 })
  expect(refusal(() => state.run(memberJoin, asks('1', '1'))).code).toBe('DELOS_TOKEN_EXPIRED')
})

test('a token is forgotten a week after its time', () => {
  const state = newState([delosSystem])
  const count = (): number => state.db.get<{ n: number }>('SELECT count(*) AS n FROM delos_token')?.n ?? 0
  state.run(memberIssue, { hash: hash('a'), uses: 1, ttlMs: 1000 })
  state.advance(1000 + 7 * 86_400_000)
  state.run(memberIssue, { hash: hash('b'), uses: 1, ttlMs: 1000 })
  expect(count()).toBe(2)
  state.advance(1)
  state.run(memberIssue, { hash: hash('c'), uses: 1, ttlMs: 1000 })
  expect(count()).toBe(2)
})

test('a key that came before is the same server with another token; a renewed certificate is noted once; nobody takes the place of another', () => {
  const state = newState([delosSystem])
  for (const token of ['a', 'b']) state.run(memberIssue, { hash: hash(token), uses: 1, ttlMs: 60_000 })
  state.run(memberJoin, asks('1', '1'))
  expect(state.run(memberJoin, asks('7', '1', hash('b')))).toMatchObject({ server: '1'.repeat(16), isNew: true })
  expect(refusal(() => state.run(memberJoin, asks('2', '2', hash('b')))).code).toBe('DELOS_TOKEN_USED')
  const { length } = state.entries
  const renewed = { server: '1'.repeat(16), name: 'server-1', key: hash('d'), serial: 'd'.repeat(32), notBefore: 2000, notAfter: 3000 }
  state.run(memberCertify, renewed)
  state.run(memberCertify, renewed)
  expect(state.entries).toHaveLength(length + 1)
  expect(state.db.get('SELECT not_after, token FROM delos_cert')).toEqual({ not_after: 3000, token: hash('b') })
  expect(refusal(() => state.run(memberCertify, { ...renewed, server: '2'.repeat(16) })).code).toBe('DELOS_CONFLICT')
  state.run(memberIssue, { hash: hash('c'), uses: 1, ttlMs: 60_000 })
  expect(refusal(() => state.run(memberJoin, asks('1', '5', hash('c')))).code).toBe('DELOS_CONFLICT')
})
