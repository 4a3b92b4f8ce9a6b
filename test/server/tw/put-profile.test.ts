import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, request, type Server } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { PUT_PROFILE } from '../../../src/core/tw/queries.ts'
import type { ServerHost } from '../../../src/server/host.ts'
import { putProfile } from '../../../src/server/tw/put-profile.ts'

let root: string
let agent: Server
let answer: { status: number; body: string }

beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), 'mu-profile-'))
  agent = createServer((asked, response) => {
    asked.resume()
    response.writeHead(answer.status).end(answer.body)
  })
  await new Promise<void>((resolve) => agent.listen(join(root, 's'), resolve))
})
afterEach(() => {
  agent.close()
  rmSync(root, { recursive: true, force: true })
})

const host = {
  askAgent: (_node, options, said) => request({ socketPath: join(root, 's'), ...options }, said),
} satisfies Pick<ServerHost, 'askAgent'> as unknown as ServerHost
const body = { node: 'n1', switch: 3, profile: 'p', version: 1, settings: {} }
const put = () => putProfile(host, { key: 'k', kind: PUT_PROFILE, body })
const refusalOf = (code: string, message: string): string => JSON.stringify({ error: { code, message, hint: '', docs: '', exit: 3 } })

test('an agent of a release without profiles fails the switch with what to do, and is not asked again', async () => {
  answer = { status: 404, body: refusalOf('NOT_FOUND', 'The agent has no POST /profile.') }
  const [entry] = await put()
  expect(entry).toMatchObject({ type: 'tw.ProfileFinished', body: { node: 'n1', switch: 3, outcome: 'failed', differs: {} } })
  expect((entry as { body: { why: string } }).body.why).toMatch(
    /nothing was written: its agent is of a release without profiles.*tw upgrade agents/,
  )
})

test('what an agent cannot do at the moment is tried again, and said in its words', async () => {
  answer = { status: 409, body: refusalOf('UNAVAILABLE', 'the disk is read-only') }
  await expect(put()).rejects.toMatchObject({ code: 'UNAVAILABLE', message: 'agent n1: the disk is read-only' })
  answer = { status: 502, body: 'connect ENOENT' }
  await expect(put()).rejects.toMatchObject({ code: 'UNAVAILABLE', message: 'agent n1: connect ENOENT' })
})

test('what came of it is noted as the agent says', async () => {
  answer = { status: 200, body: JSON.stringify({ outcome: 'compared', differs: { 'vm.swappiness': '60' }, why: 'it may not write' }) }
  expect(await put()).toMatchObject([{ body: { outcome: 'compared', differs: { 'vm.swappiness': '60' }, why: 'it may not write' } }])
})
