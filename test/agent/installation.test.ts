import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { agentCommand, chooseInstallation, confirmInstallation } from '../../src/agent/installation.ts'
import { entryPoint } from '../../src/platform/spawn.ts'

let root: string
let other: string
const main = (): string => join(other, 'dist/agent/main.js')

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'mu-installation-'))
  other = join(root, 'other')
  mkdirSync(join(other, 'dist/agent'), { recursive: true })
  writeFileSync(main(), '')
})
afterEach(() => rmSync(root, { recursive: true, force: true }))

test('an agent runs from where its keeper is until an upgrade says otherwise, which counts once', () => {
  expect(agentCommand(root)).toEqual(entryPoint('agent/main'))
  expect(chooseInstallation(root, { upgrade: 1, folder: other, isBack: false })).toBe(true)
  expect(chooseInstallation(root, { upgrade: 1, folder: other, isBack: false })).toBe(false)
  expect(agentCommand(root)).toEqual([process.execPath, main()])
})

test('a folder without an agent is refused, and nothing is chosen', () => {
  expect(() => chooseInstallation(root, { upgrade: 1, folder: join(root, 'none'), isBack: false })).toThrow(
    expect.objectContaining({ code: 'NOT_FOUND' }),
  )
  expect(agentCommand(root)).toEqual(entryPoint('agent/main'))
})

test('an installation whose agent never answers goes out of use after two starts', () => {
  chooseInstallation(root, { upgrade: 1, folder: other, isBack: false })
  const starts = Array.from({ length: 5 }, () => agentCommand(root)[1])
  expect(starts).toEqual([main(), main(), ...Array<string>(3).fill(entryPoint('agent/main')[1])])
})

test('one that answered stays, however often its agent is killed afterwards, and can still be taken back', () => {
  chooseInstallation(root, { upgrade: 1, folder: other, isBack: false })
  agentCommand(root)
  confirmInstallation(root)
  for (let i = 0; i < 10; i += 1) expect(agentCommand(root)[1]).toBe(main())
  expect(chooseInstallation(root, { upgrade: 1, folder: other, isBack: true })).toBe(true)
  expect(agentCommand(root)).toEqual(entryPoint('agent/main'))
})
