import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { Contact } from '../../src/agent/contact.ts'

const dir = mkdtempSync(join(tmpdir(), 'mu-contact-'))
afterAll(() => rmSync(dir, { recursive: true }))

test('silence goes on over a restart of the agent, and begins anew with a boot or an unreadable file', () => {
  let clock = 100_000
  const file = join(dir, 'contact.json')
  const open = (bootId = 'boot-1'): Contact => new Contact(file, bootId, () => clock)
  const first = open()
  expect(first.silentMs).toBe(0)
  clock += 5000
  first.heard(clock - 200)
  expect(first.silentMs).toBe(200)
  // A doubled answer to an older report says nothing new.
  first.heard(clock - 3000)
  expect(first.silentMs).toBe(200)
  clock += 7000
  expect(open().silentMs).toBe(7200)
  expect(open('boot-2').silentMs).toBe(0)
  writeFileSync(file, '{"bootId":"boo')
  expect(open().silentMs).toBe(0)
})
