import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { z } from 'zod'
import { reportFailure } from '../../src/cli/failure.ts'
import { Args, ChangeCommand, QueryCommand, remote, type InputOf, type OutputOf, type Parsed } from '../../src/cli/command.ts'
import { runCommand, type CommandClass } from '../../src/cli/run-command.ts'
import { defineCommand, defineQuery } from '../../src/core/contracts/operation.ts'

const list = defineQuery({
  name: 'test.thing.list',
  summary: 'List.',
  input: z.object({ all: z.boolean() }),
  output: z.object({ things: z.array(z.object({ name: z.string() })) }),
  answer: () => ({ things: [] }),
})
const drop = defineCommand({
  name: 'test.thing.drop',
  summary: 'Drop a thing.',
  danger: 'high',
  input: z.object({ name: z.string().min(2) }),
  output: z.object({ dropped: z.string() }),
  confirmName: ({ name }) => name,
  decide: () => ({ entries: [], reply: () => ({ dropped: '' }) }),
})
const stop = defineCommand({ ...drop, name: 'test.thing.stop', summary: 'Stop a thing.', danger: 'medium' })

const listRef = remote('test.thing.list', async () => list)
class ThingList extends QueryCommand<typeof listRef> {
  static override operation = listRef
  input(): InputOf<typeof listRef> {
    return { all: true }
  }
  render(data: OutputOf<typeof listRef>): string {
    return data.things.map(({ name }) => `* ${name}`).join('\n')
  }
}
const dropRef = remote('test.thing.drop', async () => drop)
class ThingDrop extends ChangeCommand<typeof dropRef> {
  static override operation = dropRef
  static override args = { name: Args.string({ required: true }) }
  input({ args }: Parsed<typeof ThingDrop>): InputOf<typeof dropRef> {
    return { name: args.name }
  }
  render(data: OutputOf<typeof dropRef>): string {
    return `dropped ${data.dropped}`
  }
}
const stopRef = remote('test.thing.stop', async () => stop)
class ThingStop extends ChangeCommand<typeof stopRef> {
  static override operation = stopRef
  static override args = { name: Args.string({ required: true }) }
  input({ args }: Parsed<typeof ThingStop>): InputOf<typeof stopRef> {
    return { name: args.name }
  }
  render(): string {
    return 'stopped'
  }
}

let server: Server
let asked: { url: string; plan: unknown; apply: unknown; confirm: unknown }[]
let stdout: string
let stderr: string
beforeEach(async () => {
  asked = []
  server = createServer((request, response) => {
    const { 'x-muster-plan': plan, 'x-muster-apply': apply, 'x-muster-confirm': confirm } = request.headers
    asked.push({ url: request.url ?? '', plan, apply, confirm })
    const planned = { id: 'p1', position: 4, entries: [{ type: 'test.Dropped', body: {} }], changes: [] }
    const data = request.url?.endsWith('/list') ? { things: [{ name: 'a' }, { name: 'b' }] } : { dropped: 'web' }
    response.end(JSON.stringify({ ok: true, data, warnings: ['careful'], position: 4, ...(plan ? { plan: planned } : {}) }))
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  vi.stubEnv('MUSTER_ADDRESS', `http://127.0.0.1:${(server.address() as AddressInfo).port}`)
  vi.stubEnv('MUSTER_CONTEXT', 'test')
  stdout = ''
  stderr = ''
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => Boolean((stdout += String(text))))
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => Boolean((stderr += String(text))))
})
afterEach(() => {
  vi.restoreAllMocks()
  vi.unstubAllEnvs()
  server.close()
  process.exitCode = 0
})

const run = (command: unknown, id: string, ...argv: string[]): Promise<void> => runCommand(command as CommandClass, id, argv, '0.0.0')

test('a query is asked, and rendered for people or as one envelope named after the command', async () => {
  await run(ThingList, 'thing:list')
  expect(stdout).toBe('* a\n* b\n')
  expect(stderr).toContain('careful')
  stdout = ''
  await run(ThingList, 'thing:list', '--json')
  expect(JSON.parse(stdout)).toEqual({
    schema: 'muster.thing.list/1',
    ok: true,
    data: { things: [{ name: 'a' }, { name: 'b' }] },
    warnings: ['careful'],
  })
  stdout = ''
  await run(ThingList, 'thing:list', '-o', 'name')
  expect(stdout).toBe('a\nb\n')
})

test('--plan prints the difference and the command that does it, and changes nothing', async () => {
  await run(ThingDrop, 'thing:drop', 'web', '--plan')
  expect(asked).toEqual([{ url: '/v1/test/thing/drop', plan: '1', apply: undefined, confirm: undefined }])
  expect(stdout).toContain('muster thing drop web --confirm web --apply p1')
})

test('high danger asks for the name before anything is sent', async () => {
  await expect(run(ThingDrop, 'thing:drop', 'web')).rejects.toMatchObject({ code: 'CONFIRM_REQUIRED', exit: 4 })
  await expect(run(ThingDrop, 'thing:drop', 'web', '--yes')).rejects.toMatchObject({ code: 'CONFIRM_REQUIRED' })
  expect(asked).toEqual([])
  await run(ThingDrop, 'thing:drop', 'web', '--confirm', 'web', '--apply', 'p1')
  expect(asked).toEqual([{ url: '/v1/test/thing/drop', plan: undefined, apply: 'p1', confirm: 'web' }])
  expect(stdout).toBe('dropped web\n')
})

test('medium danger wants --yes in a script', async () => {
  await expect(run(ThingStop, 'thing:stop', 'web')).rejects.toMatchObject({
    code: 'CONFIRM_REQUIRED',
    message: 'Go on with `muster thing stop web`? Nobody is there to ask.',
    hint: expect.stringContaining('--yes'),
  })
  await run(ThingStop, 'thing:stop', 'web', '--yes')
  expect(asked).toHaveLength(1)
})

test('the line that a plan prints works as it is: who applies a plan of medium danger is not asked again', async () => {
  await run(ThingStop, 'thing:stop', 'web', '--apply', 'p1')
  expect(asked).toMatchObject([{ apply: 'p1' }])
})

test('a value that is no number is a mistake on the command line, not a bug', async () => {
  class Scale extends ThingList {
    static override args = { count: Args.integer() }
  }
  const refused = await run(Scale, 'thing:scale', 'x').catch((error: unknown) => error)
  expect(reportFailure(refused, { argv: [], version: '0', schema: 'muster.thing.scale/1', flags: [] })).toBe(2)
})

test('input that the operation refuses is a usage error and is not sent', async () => {
  await expect(run(ThingDrop, 'thing:drop', 'w', '--confirm', 'w')).rejects.toMatchObject({
    code: 'USAGE',
    exit: 2,
    message: expect.stringContaining('name'),
  })
  expect(asked).toEqual([])
})

test('--json and another --output contradict each other', async () => {
  await expect(run(ThingList, 'thing:list', '--json', '-o', 'yaml')).rejects.toThrow(/cannot also be provided/)
})
