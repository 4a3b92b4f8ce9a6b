import { expect, test } from 'vitest'
import { renderJoinToken, renderNodeToken } from '../../src/cli/render/join-token.ts'

test('a token stands alone on its line, with how long, for how many and from where it can be used', () => {
  const given = { token: 'muster1.c.h:1.f.s', id: '0a1b2c3d', uses: 1, until: Date.UTC(2026, 0, 31, 12), address: 'h:1' }
  const lines = renderJoinToken(given).split('\n')
  expect(lines[0]).toBe('muster1.c.h:1.f.s')
  expect(lines[2]).toBe('0a1b2c3d: for one server, until 2026-01-31T12:00:00.000Z; it has to reach h:1')
  expect(renderJoinToken({ ...given, uses: 3 })).toContain('for 3 servers')
})

test('a token for agents is alone on its line too, and what is typed with it is that of an agent', () => {
  const given = { token: 'agent-muster1.x', id: '0a1b2c3d', uses: 1, until: Date.UTC(2026, 0, 31, 12), address: 'h:1' }
  const lines = renderNodeToken(given).split('\n')
  expect(lines[0]).toBe('agent-muster1.x')
  expect(lines.at(-1)).toContain('muster agent --name NAME --token TOKEN')
})
