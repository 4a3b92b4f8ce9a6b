import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { CommandDef } from '../../../src/core/contracts/operation.ts'
import { tokenIssue, tokenRevoke } from '../../../src/core/delos/operations.ts'
import { delosSystem } from '../../../src/core/delos/system.ts'
import { refuse } from '../../../src/core/kernel/errors.ts'
import { createLogger } from '../../../src/platform/logger.ts'
import { createIssueAction, hashOfToken, openTokens } from '../../../src/server/api/tokens.ts'
import type { ServerHost } from '../../../src/server/host.ts'
import { eventually } from '../../support/eventually.ts'
import { newState } from '../../support/state.ts'

let keys: string
let state: ReturnType<typeof newState>
const run = (async (command: CommandDef, input: unknown) => state.run(command, input as never)) as ServerHost['run']
const log = createLogger(null)
const file = (): string => join(keys, 'tokens.json')
const LOOK = { isPlan: false, apply: undefined }
const who = { actor: 'user:anna', role: 'admin' as const, signal: new AbortController().signal }

beforeEach(() => {
  keys = mkdtempSync(join(tmpdir(), 'muster-keys-'))
  mkdirSync(keys, { recursive: true })
  state = newState([delosSystem])
})
afterEach(() => rmSync(keys, { recursive: true, force: true }))

test('a token is good as soon as it is issued, until it is revoked, and is nowhere in the log', async () => {
  const tokens = openTokens(state.db, keys)
  const issue = createIssueAction({ db: state.db, position: () => 1, run })
  const { value } = await issue(tokenIssue.input.parse({ name: 'ci', role: 'operator' }), who, LOOK)
  const { token } = value as { token: string }
  expect(tokens.find(token)).toEqual({ actor: 'token:ci', role: 'operator' })
  expect(tokens.find(`${token}x`)).toBeNull()
  expect(JSON.stringify(state.entries)).not.toContain(token.slice(7))
  state.run(tokenRevoke, { token: 'ci' })
  expect(tokens.find(token)).toBeNull()
})

test('a plan says which token ends, and another one is not applied', async () => {
  const issue = createIssueAction({ db: state.db, position: () => 1, run })
  const input = tokenIssue.input.parse({ name: 'ci' })
  await issue(input, who, LOOK)
  const { plan } = (await issue(input, who, { isPlan: true, apply: undefined })) as { plan: { id: string; entries: { type: string }[] } }
  expect(plan.entries.map(({ type }) => type)).toEqual(['delos.ApiTokenRevoked', 'delos.ApiTokenIssued'])
  await issue(input, who, { isPlan: false, apply: plan.id })
  await expect(issue(input, who, { isPlan: false, apply: plan.id })).rejects.toMatchObject({ code: 'PLAN_STALE' })
})

test('tokens of a file are good before and after the fleet has taken them over, and the file goes then', async () => {
  const old = [
    { name: 'ci', role: 'operator', hash: hashOfToken('muster_one') },
    { name: 'of two words', role: 'viewer', hash: hashOfToken('muster_two') },
  ]
  writeFileSync(file(), JSON.stringify(old))
  const tokens = openTokens(state.db, keys)
  expect(tokens.find('muster_one')).toEqual({ actor: 'token:ci', role: 'operator' })
  // Nobody leads at first.
  let tries = 0
  const runLater = (async (command: CommandDef, input: unknown) => {
    tries += 1
    if (tries === 1) throw refuse('DELOS_NO_QUORUM', 'nobody leads')
    return state.run(command, input as never)
  }) as ServerHost['run']
  tokens.takeOver(runLater, log)
  await eventually('the end of the file', 10_000, () => !existsSync(file()))
  tokens.stop()
  const again = openTokens(state.db, keys)
  expect(again.find('muster_one')).toEqual({ actor: 'token:ci', role: 'operator' })
  expect(again.find('muster_two')).toEqual({ actor: 'token:of-two-words', role: 'viewer' })
  // A file that came back, as with a copy of the directory, revives nothing.
  state.run(tokenRevoke, { token: 'ci' })
  writeFileSync(file(), JSON.stringify(old))
  expect(openTokens(state.db, keys).find('muster_one')).toBeNull()
})

test('a file that is no list of tokens is refused, with what to do', () => {
  writeFileSync(file(), '{')
  expect(() => openTokens(state.db, keys)).toThrow(expect.objectContaining({ code: 'STATE_UNREADABLE' }))
})
