import { existsSync, mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { retentionDefault } from '../../../src/core/scuba/retention/policy.ts'
import { createLogger } from '../../../src/platform/logger.ts'
import { asideRows, dropOldAside } from '../../../src/server/scuba/replica/stand-down.ts'

const dir = mkdtempSync(join(tmpdir(), 'scuba-aside-'))
afterAll(() => rmSync(dir, { recursive: true }))

test('what was set aside is kept as long as the table of it that is kept longest, and then dropped', () => {
  const now = Date.now()
  const daysAgo = (days: number): Date => new Date(now - days * 86_400_000)
  for (const [name, days] of [['old', 91] as const, ['young', 31] as const]) {
    mkdirSync(join(dir, 'aside', name, 'segments'), { recursive: true })
    const file = join(dir, 'aside', name, 'rows.json')
    writeFileSync(file, JSON.stringify({ rows: 7, throughSeq: { short: 1, long: 1 }, segments: [] }))
    utimesSync(file, daysAgo(days), daysAgo(days))
  }
  const policy = (table: string) => ({ ...retentionDefault(table), days: table === 'long' ? 90 : 30 })
  expect(asideRows(dir)).toBe(14)
  dropOldAside({ dir, policy, log: createLogger(null) }, now)
  expect(asideRows(dir)).toBe(7)
  expect(existsSync(join(dir, 'aside', 'old'))).toBe(false)
})
