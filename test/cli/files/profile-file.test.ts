import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { profileFlag } from '../../../src/cli/files/profile-file.ts'

const refusal = (text: string): { code: string; message: string } => {
  const folder = mkdtempSync(join(tmpdir(), 'muster-profile-'))
  const file = join(folder, 'p.yaml')
  writeFileSync(file, text)
  try {
    profileFlag(file)
  } catch (error) {
    return error as { code: string; message: string }
  } finally {
    rmSync(folder, { recursive: true })
  }
  throw new Error('nothing was refused')
}

test('every mistake in a profile file is named with its line and column', () => {
  const { code, message } = refusal('name: mine\nsteps:\n  - {share: 5%, minimum: 8s}\n')
  expect(code).toBe('DEPLOY_PROFILE_INVALID')
  expect(message).toMatch(/p\.yaml:3:5 for is missing\n {2}.*p\.yaml:3:17 unknown key "minimum"/)
  expect(refusal('name: [\n').message).toMatch(/p\.yaml:2:1 /)
})

test('a word without a file of that name is the name of a built-in profile', () => {
  expect(profileFlag('small')).toBe('small')
})
