import { spawn, type ChildProcess } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { freePort } from '../../src/platform/free-port.ts'
import { eventually } from '../support/eventually.ts'
import { BIN, newFleet } from '../support/fleet.ts'

/** A server, and three agents that have joined as those of other machines do, each with a leaf. */
const fleet = newFleet()
fleet.env['MUSTER_SCUBA_LEAF_LOST_MS'] = '12000'
const NODES = ['far1', 'far2', 'far3']
const homes = new Map(NODES.map((node) => [node, newFleet()]))
const keepers = new Map<string, ChildProcess>()
const ROWS = 300

function startAgent(node: string, token: string[]): void {
  const home = homes.get(node) ?? fleet
  const args = [BIN, 'agent', '--name', node, ...token, '--address', '127.0.0.1', '--cpu', '1']
  keepers.set(node, spawn(process.execPath, args, { env: home.env, cwd: home.home, stdio: 'ignore' }))
}

interface Leaf {
  leaf: string
  node: string | null
  state: string
  shards: { id: string; epoch: number }[]
  copies: { leaf: string; state: string | null }[]
  holds: { pid: number; rows: number; asideRows: number } | null
}
const leaves = async (): Promise<Leaf[]> => ((await fleet.data('scuba', 'leaves')) as { leaves: Leaf[] }).leaves
const leafOf = async (node: string): Promise<Leaf> => {
  const found = (await leaves()).find((leaf) => leaf.node === node)
  if (!found) throw new Error(`node ${node} runs no leaf`)
  return found
}
const asked = async (): Promise<{ row: unknown; rows: number; byCopy: string[] }> => {
  const { json } = await fleet.muster('scuba', 'query', 'SELECT count(*), count(DISTINCT n), sum(n) FROM events', '--json')
  return { row: json?.data?.rows?.[0], rows: json?.data?.coverage?.rows, byCopy: json?.data?.coverage?.byCopy ?? [] }
}
const ALL = [ROWS, ROWS, (ROWS * (ROWS - 1)) / 2]
const send = () => fleet.data('scuba', 'send', 'events', 'rows.ndjson', '--key', 'promotion', '--batch', '200B')

beforeAll(async () => {
  const door = `127.0.0.1:${await freePort('127.0.0.1')}`
  await fleet.data('up', '--nodes', '1', '--agents', door)
  for (const node of NODES) startAgent(node, ['--token', ((await fleet.data('tw', 'node', 'token')) as { token: string }).token])
  await eventually('all have joined', 60_000, async () => {
    const nodes = (await fleet.data('tw', 'node', 'ls')) as { node: string; state: string }[]
    return NODES.every((node) => nodes.some((one) => one.node === node && one.state === 'ready'))
  })
  for (const node of NODES) await fleet.data('scuba', 'leaf', 'join', node)
  writeFileSync(join(fleet.home, 'table.yaml'), 'table: events\ncolumns:\n  n: {type: BIGINT}\nreplicas: 2\n')
  await fleet.data('scuba', 'table', 'put', '-f', 'table.yaml', '--yes')
  await eventually('every leaf has a copy that follows', 60_000, async () =>
    (await leaves()).every(({ copies }) => copies.length === 1 && copies[0]?.state === 'following'),
  )
  writeFileSync(join(fleet.home, 'rows.ndjson'), Array.from({ length: ROWS }, (_, n) => JSON.stringify({ n })).join('\n'))
}, 240_000)
afterAll(async () => {
  for (const home of homes.values()) await home.end()
  for (const keeper of keepers.values()) keeper.kill('SIGKILL')
  await fleet.end()
})

test('a machine dies: its copy answers at once, takes over when the leaf is lost, and every row acknowledged is there once', async () => {
  expect(await send()).toMatchObject({ accepted: ROWS, duplicate: 0 })
  await eventually('all rows are in an answer', 20_000, async () => (await asked()).rows === 1)
  expect((await asked()).row).toEqual(ALL)
  const victim = await leafOf('far1')
  const { pid: agent } = JSON.parse(readFileSync(join(homes.get('far1')?.root ?? '', 'agents', 'far1', 'agent.json'), 'utf8')) as {
    pid: number
  }
  keepers.get('far1')?.kill('SIGKILL')
  for (const pid of [agent, victim.holds?.pid ?? 0]) process.kill(pid, 'SIGKILL')

  const before = await eventually('its copy answers', 20_000, async () => {
    const answer = await asked()
    return answer.rows === 1 ? answer : null
  })
  expect(before.row).toEqual(ALL)
  expect((await leafOf('far1')).shards).toEqual(victim.shards)
  expect(before.byCopy).toEqual([victim.leaf])

  const owner = await eventually('its shard is another leaf’s', 60_000, async () =>
    (await leaves()).find(({ leaf, shards }) => leaf !== victim.leaf && shards.some(({ id, epoch }) => id === victim.leaf && epoch > 1)),
  )
  expect(owner.leaf).toBe(victim.copies[0]?.leaf)
  const after = await eventually('the new owner has its rows', 30_000, async () => {
    const answer = await asked()
    return answer.rows === 1 && answer.byCopy.length === 0 ? answer : null
  })
  expect(after.row).toEqual(ALL)
  const moves = (await fleet.data('delos', 'log', 'ls', '--type', 'scuba.ShardMoved', '--limit', '100')) as unknown
  expect(JSON.stringify(moves)).toContain(victim.leaf)
  // Who sends all of it again is told that it is known.
  await eventually('rows are taken again', 30_000, async () => {
    const { json } = await fleet.muster('scuba', 'send', 'events', 'rows.ndjson', '--key', 'promotion', '--batch', '200B', '--json')
    return json?.data?.duplicate === ROWS
  })
  expect((await asked()).row).toEqual(ALL)
}, 240_000)

test('the machine that comes back has nothing that is not there already, and its rows are in no answer twice', async () => {
  startAgent('far1', [])
  await eventually('its leaf is there and has set its rows aside', 60_000, async () => {
    const { folders } = (await fleet.data('scuba', 'leaf', 'aside', 'far1')) as { folders: { rows: number; isSettled: boolean }[] }
    return folders.length === 1 && folders[0]?.isSettled === true
  })
  expect((await fleet.muster('scuba', 'leaf', 'aside', 'far1')).stdout).toContain('All of them are in their tables')
  const { row, rows } = await eventually('all answer', 30_000, async () => {
    const answer = await asked()
    return answer.rows === 1 ? answer : null
  })
  expect([row, rows]).toEqual([ALL, 1])
  expect(await fleet.data('scuba', 'leaf', 'aside', 'far1', '--drop', '--yes')).toMatchObject({ dropped: 1, droppedRows: 0 })
  expect((await fleet.muster('scuba', 'leaf', 'aside', 'far1')).stdout).toContain('set nothing aside')
}, 180_000)
