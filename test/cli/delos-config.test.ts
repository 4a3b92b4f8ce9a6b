import { expect, test } from 'vitest'
import { labelFlags } from '../../src/cli/flags/labels.ts'
import { shareFlag } from '../../src/cli/flags/share.ts'
import { configChange, renderConfigBody, renderConfigChange, renderConfigDiff, renderConfigSet } from '../../src/cli/render/delos-config.ts'
import { renderConfigReaders } from '../../src/cli/render/delos-config-readers.ts'
import { renderMetaRecord } from '../../src/cli/render/delos-meta.ts'
import { PLAIN } from '../../src/cli/terminal.ts'

const config = {
  name: 'web',
  version: 2,
  state: 'active',
  service: 'web',
  author: 'user:anna',
  at: 0,
  schema: null,
  body: 'a\n\n',
  canary: { version: 3, sharePpm: 1000, until: 60_000 },
}

test('a configuration is printed as it is, its last newline being that of the output', () => {
  expect(renderConfigBody(config, PLAIN)).toBe('a\n')
  expect(renderConfigBody({ ...config, body: 'b' }, PLAIN)).toBe('b')
  expect(renderConfigBody(config, { ...PLAIN, isWide: true })).toContain('3 at 0.1 % until 1970-01-01T00:01:00.000Z')
})

test('a diff can be read by patch: an empty side begins at line 0', () => {
  const hunks = [{ fromLine: 1, toLine: 1, lines: [{ sign: '+' as const, text: 'a' }] }]
  expect(renderConfigDiff({ name: 'web', from: null, to: 1, hunks }, PLAIN)).toBe('--- web 0\n+++ web 1\n@@ -0,0 +1,1 @@\n+a')
  expect(renderConfigDiff({ name: 'web', from: 1, to: 2, hunks: [] }, PLAIN)).toBe('web 1 and 2 say the same.')
})

test('a set that changed nothing says so, a trial says how it ends', () => {
  const set = { name: 'web', version: 3, state: 'active', previous: 2, isChanged: true, added: 1, removed: 0, canary: null }
  expect(renderConfigSet(set)).toBe('web 3 is active (was 2; +1 -0 lines)')
  expect(renderConfigSet({ ...set, isChanged: false })).toBe('web 3 stays')
  const trial = renderConfigSet({ ...set, canary: { sharePpm: 100_000, until: 0 } })
  expect(trial).toContain('rolled back as soon as it is seen to be bad, and at 1970-01-01T00:00:00.000Z')
  expect(trial).toContain('`muster delos config judge web 3 pass` decides at once')
})

test('readers are counted by version, and what is seen of a trial is said in words', () => {
  const trial = { version: 2, sharePpm: 250_000, until: 61_000, verdict: null, text: 'no task of web has read version 2; 3 have version 1' }
  const one = { name: 'web', active: 1, versions: [{ version: 1, readers: 3, lastMs: 900 }], readers: [], trial }
  const all = renderConfigReaders({ sinceMs: 0, configs: [one, { ...one, name: 'none', versions: [], trial: null }] }, 1000, PLAIN)
  expect(all).toMatch(/web +1 +3 have 1 +2 at 25 %, 1m left; no verdict yet: no task of web has read version 2; 3 have version 1/)
  expect(all).toMatch(/none +1 +none seen/)
  const readers = [{ reader: 'web/api[0]', version: 1, sinceMs: 0, lastMs: 900 }]
  const bad = { ...trial, verdict: 'fail' as const, text: 'web: 9 of 20' }
  const named = renderConfigReaders({ sinceMs: 0, configs: [{ ...one, readers, trial: bad }] }, 5000, PLAIN)
  expect(named).toContain('bad: web: 9 of 20')
  expect(named).toMatch(/web\/api\[0\] +1 +5s +4\.1s/)
})

test('a watch tells each change once: a proposal without a trial is told by its activation', () => {
  const entry = (type: string, body: object) => ({
    position: 7,
    type: `delos.${type}`,
    at: 0,
    actor: 'user:anna',
    body: { name: 'web', version: 3, ...body },
  })
  expect(configChange(entry('ConfigProposed', { canary: null }))).toBeNull()
  const lines = [
    entry('ConfigProposed', { canary: { sharePpm: 100_000, forMs: 300_000 } }),
    entry('ConfigCanaryJudged', { verdict: 'fail', reason: 'errors' }),
    entry('ConfigRolledBack', { to: 2, reason: 'errors' }),
    entry('ConfigActivated', { previous: 2 }),
    entry('ConfigActivated', { previous: null }),
  ].map((one) => {
    const change = configChange(one)
    return change && renderConfigChange(change, PLAIN).replace('     7  1970-01-01T00:00:00.000Z  ', '')
  })
  expect(lines).toEqual([
    'web 3 on trial with 10 % of the readers, 5m at most',
    'web 3 judged bad: errors',
    'web 3 rolled back to 2: errors',
    'web 3 active, was 2',
    'web 3 active',
  ])
})

test('labels and shares that cannot be meant are refused', () => {
  expect(labelFlags(['a=b=c', 'd='])).toEqual({ a: 'b=c', d: '' })
  expect(() => labelFlags(['a'])).toThrow('is not NAME=VALUE')
  expect(shareFlag('canary', '0.5%')).toBe(5000)
  for (const text of ['0%', '10', '101%', '-1%']) expect(() => shareFlag('canary', text), text).toThrow('is not a share')
})

test('a record is its body, wide with what is known of it', () => {
  const record = { kind: 'database', name: 'orders', version: 7, labels: { env: 'prod' }, author: 'user:anna', at: 0, body: { a: 1 } }
  expect(renderMetaRecord(record, PLAIN)).toBe('{\n  "a": 1\n}')
  expect(renderMetaRecord(record, { ...PLAIN, isWide: true })).toContain('env=prod')
})
