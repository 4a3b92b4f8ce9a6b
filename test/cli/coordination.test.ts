import { expect, test } from 'vitest'
import { renderLeader, renderMemberEvent, renderMembers, renderPlace } from '../../src/cli/render/coordination.ts'
import { leaseFlag, placeTimes } from '../../src/cli/flags/store.ts'
import { keyOf, keyText } from '../../src/cli/coordination/key-text.ts'
import { PLAIN } from '../../src/cli/terminal.ts'

const member = { id: 'w1', data: '10.0.0.7:8080', joined: 4, changed: 9, lease: '2a' }

test('members stand in a table, with lease and change when it is wide, and nobody is said in words', () => {
  expect(renderMembers(PLAIN, [member])).toBe('ID  DATA           JOINED\nw1  10.0.0.7:8080       4')
  expect(renderMembers({ ...PLAIN, isWide: true }, [member])).toContain('CHANGED  LEASE')
  expect(renderMembers(PLAIN, [])).toBe('Nobody is here.')
})

test('what happens in a group and in an election is one line each', () => {
  expect(renderMemberEvent(PLAIN, { what: 'left', member })).toBe('left    w1  10.0.0.7:8080')
  expect(renderLeader(PLAIN, { name: 'boss', value: '', key: 'boss/2a', token: 7 })).toBe('(no value)  token 7  boss/2a')
  expect(renderPlace(PLAIN, 'leading', { name: 'boss', key: 'boss/2a', token: 7, lease: '2a' })).toBe('leading boss, token 7, lease 2a')
})

test('a grace must be shorter than the time of the lease, and a lease is hexadecimal', () => {
  expect(placeTimes({ ttl: '15s' })).toEqual({ ttlMs: 15_000, graceMs: 5000, waitMs: Number.POSITIVE_INFINITY })
  expect(() => placeTimes({ ttl: '2s', grace: '2s' })).toThrow('--grace must be shorter than --ttl')
  expect(() => placeTimes({ ttl: '10ms' })).toThrow('--ttl')
  expect(leaseFlag('694d7a3bb1f4a20c')).toBe(0x694d7a3bb1f4a20cn)
  expect(() => leaseFlag('lease')).toThrow('hexadecimal')
})

test('a name in any script is a key of its UTF-8 bytes, and back', () => {
  expect(keyOf('ö')).toBe('\u00c3\u00b6')
  expect(keyText(keyOf('schlüssel/鍵'))).toBe('schlüssel/鍵')
})
