import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { afterEach, expect, test } from 'vitest'
import { createClient } from '../../src/cli/client.ts'
import { createLogger } from '../../src/platform/logger.ts'
import { statePaths } from '../../src/platform/paths.ts'
import { noPeers, openFleetLog } from '../../src/server/delos/fleet-logs.ts'
import { encodeBatch } from '../../src/server/state/entry-batch.ts'
import { readIdentity } from '../../src/server/state/identity.ts'
import { openStateDb } from '../../src/server/state/state-db.ts'
import { stateDigest } from '../../src/server/state/state-digest.ts'
import { stateStandOf } from '../../src/server/state/state-stand.ts'
import { eventually } from '../support/eventually.ts'
import { newFleet, type TestFleet } from '../support/fleet.ts'

const fleets: TestFleet[] = []
afterEach(async () => {
  for (const fleet of fleets.splice(0)) await fleet.end()
}, 120_000)

/** A context whose logs are of small files, with few positions kept. */
function smallFleet(): TestFleet {
  const fleet = newFleet()
  Object.assign(fleet.env, {
    MUSTER_DELOS_SEGMENT_BYTES: String(256 * 1024),
    MUSTER_DELOS_TRIM_MARGIN: '2',
    MUSTER_DELOS_KEEP_MS: '600000',
  })
  fleets.push(fleet)
  return fleet
}

const putMeta = (fleet: TestFleet, name: string, bytes: number): Promise<unknown> =>
  createClient({ socketPath: join(fleet.root, 'muster.sock'), isTls: false, token: null }, 'user:test').call('delos.meta.put', {
    kind: 'thing',
    name,
    body: 'x'.repeat(bytes),
  })
const metasOf = (fleet: TestFleet): string[] => {
  const db = new Database(join(fleet.root, 'state.db'), { readonly: true })
  try {
    return db
      .prepare<[], { name: string }>("SELECT name FROM delos_meta WHERE kind = 'thing' ORDER BY name")
      .all()
      .map(({ name }) => name)
  } finally {
    db.close()
  }
}
const standOf = (fleet: TestFleet): ReturnType<typeof stateStandOf> => {
  const db = new Database(join(fleet.root, 'state.db'), { readonly: true })
  try {
    return stateStandOf(db)
  } finally {
    db.close()
  }
}
const digestOf = (fleet: TestFleet): string => {
  const db = openStateDb(join(fleet.root, 'state.db'))
  try {
    return stateDigest(db)
  } finally {
    db.close()
  }
}
const serverLog = (fleet: TestFleet): string => readFileSync(join(fleet.root, 'logs', 'server.log'), 'utf8')

/** First position of which the control log of a server has a file. */
const firstOf = ({ root }: TestFleet): number =>
  Math.min(
    ...readdirSync(join(root, 'log', 'control'), { recursive: true, encoding: 'utf8' }).flatMap((name) => {
      const first = /([0-9a-f]{16})\.seg$/.exec(name)?.[1]
      return first === undefined ? [] : [Number.parseInt(first, 16)]
    }),
  )
const skipOf = (position: number, reason: string): string[] => [
  'delos',
  'log',
  'skip',
  String(position),
  '--log',
  'control',
  '--reason',
  reason,
]
/** Position of the newest record that was put: behind it may stand what a server did by itself, new columns of its own tables for one. */
async function lastPut(fleet: TestFleet): Promise<number> {
  for (let position = standOf(fleet).position; position > 0; position -= 1) {
    const { entry } = await fleet.data(...skipOf(position, 'where is it?'), '--plan')
    if (entry?.commands.some(({ kind, user }: { kind: string; user: string }) => kind === 'delos.MetaPut' && user === 'user:test'))
      return position
  }
  throw new Error('nothing was put')
}

/** Ends the server as a power cut would, and waits until it is gone. */
async function kill(fleet: TestFleet): Promise<void> {
  const pid = fleet.serverPid() as number
  process.kill(pid, 'SIGKILL')
  await eventually('it is gone', 10_000, async () => !existsSync(`/proc/${pid}`))
}
function forgetState(fleet: TestFleet): void {
  for (const suffix of ['', '-wal', '-shm']) rmSync(join(fleet.root, `state.db${suffix}`), { force: true })
}

test(
  'a trimmed control log: what is gone is said, state.db is made anew, and a server that joins gets it from another',
  { timeout: 300_000 },
  async () => {
    const a = smallFleet()
    await a.data('up', '--name', 'a', '--nodes', '0')
    const names = Array.from({ length: 12 }, (_, i) => `m${String(i).padStart(2, '0')}`)
    for (const name of names) await putMeta(a, name, 60_000)

    const before = (await a.data('delos', 'log', 'trim', '--log', 'control', '--plan')).servers[0].answer
    expect(before).toMatchObject({ name: 'a', before: 1, head: 1, servers: [{ name: 'a', durable: 0 }] })
    const done = (await a.data('delos', 'log', 'trim', '--log', 'control')).servers[0].answer
    expect(done.head).toBeGreaterThan(3)
    expect(done.head).toBeLessThanOrEqual(done.mayBeginAt)
    expect(done.mayBeginAt).toBe(done.servers[0].durable - 2)
    const gone = await a.muster('delos', 'log', 'show', '1', '--json')
    expect([gone.exitCode, gone.json.error.code]).toEqual([expect.any(Number), 'DELOS_TRIMMED'])
    const asked = await a.muster('delos', 'log', 'ls', '--from', '1', '--json')
    expect(asked.json.error).toMatchObject({ code: 'DELOS_TRIMMED' })

    await putMeta(a, 'after', 10)
    const digest = digestOf(a)
    await kill(a)
    forgetState(a)
    await a.data('up')
    expect(serverLog(a)).toContain('goes on from a kept copy')
    expect(metasOf(a)).toEqual(['after', ...names])
    // A start writes an entry or two of its own.
    await kill(a)
    expect(digest).toHaveLength(12)

    await a.data('up')
    const { token } = await a.data('delos', 'member', 'token')
    const b = smallFleet()
    await b.data('up', '--join', token, '--name', 'b', '--nodes', '0')
    await eventually('b has all', 60_000, async () => metasOf(b).length === names.length + 1)
    // It has the state a moment before it says so.
    await eventually('it says from what', 10_000, () => serverLog(b).includes('goes on from a snapshot'))
    await eventually('both are alike', 30_000, async () => standOf(a).position === standOf(b).position && digestOf(a) === digestOf(b))
    expect(existsSync(join(b.root, 'state.db.part'))).toBe(false)
    // It has kept a copy, too: without state.db it needs nobody.
    await eventually('b keeps a copy', 20_000, async () => existsSync(join(b.root, 'state.db.kept')))
    const trimmed = (await b.data('delos', 'log', 'trim', '--log', 'control', '--plan')).servers[0].answer
    expect(trimmed.servers.map(({ name }: { name: string }) => name)).toEqual(['a', 'b'])

    // Both give it up, and a position is passed over by both, whichever is asked.
    const begun = [firstOf(a), firstOf(b)]
    for (let i = 0; i < 16; i += 1) await putMeta(a, `more${i}`, 60_000)
    await eventually('both give it up', 60_000, async () => {
      await b.data('delos', 'log', 'trim', '--log', 'control')
      return [a, b].every((fleet, i) => firstOf(fleet) > (begun[i] ?? 0))
    })
    await putMeta(a, 'wrong', 10)
    await eventually('b has it', 30_000, async () => metasOf(b).includes('wrong'))
    const wrong = await lastPut(b)
    const skip = skipOf(wrong, 'nobody wanted it')
    const plan = await b.data(...skip, '--plan')
    expect(plan.servers.map(({ name }: { name: string }) => name).toSorted()).toEqual(['a', 'b'])
    await b.data(...skip, '--confirm', String(wrong))
    for (const fleet of [a, b]) await eventually('it is without it', 30_000, async () => !metasOf(fleet).includes('wrong'))
    await putMeta(a, 'last', 10)
    await eventually('b has what follows', 30_000, async () => metasOf(b).includes('last'))
    expect([standOf(a).skipped, standOf(b).skipped]).toEqual([[wrong], [wrong]])
    await eventually('both are alike', 30_000, async () => standOf(a).position === standOf(b).position && digestOf(a) === digestOf(b))
  },
)

test(
  'a batch that ends who applies it: the server stops before it, and goes on once it is skipped; what was applied is taken back',
  { timeout: 240_000 },
  async () => {
    const a = smallFleet()
    await a.data('up', '--name', 'a', '--nodes', '0')
    await putMeta(a, 'before', 10)
    await kill(a)
    const position = await appendPoison(a)

    for (const _ of [1, 2]) {
      const dies = await a.muster('up', '--json')
      expect([dies.exitCode === 0, dies.json?.error?.code]).toEqual([false, 'STATE_UNREADABLE'])
    }
    await a.data('up')
    const refused = await putMeta(a, 'refused', 10).catch((error: { code: string }) => error.code)
    expect(refused).toBe('DELOS_POISON')
    const plan = await a.data(...skipOf(position, 'it kills'), '--plan')
    expect(plan).toMatchObject({
      version: null,
      entry: { commands: [{ kind: 'delos.MetaPut', key: null, user: 'user:test' }] },
      servers: [{ name: 'a', applied: position - 1, does: 'passes over it' }],
    })
    const unnamed = await a.muster(...skipOf(position, 'it kills'), '--json')
    expect(unnamed.exitCode).toBe(4)
    await a.data(...skipOf(position, 'it kills'), '--confirm', String(position))
    await putMeta(a, 'after', 10)
    expect(metasOf(a)).toEqual(['after', 'before'])
    expect(standOf(a).skipped).toEqual([position])

    // One that was applied: the state is made anew without it, while the server runs.
    await putMeta(a, 'wrong', 10)
    const wrong = await lastPut(a)
    const pid = a.serverPid()
    await a.data(...skipOf(wrong, 'nobody wanted it'), '--confirm', String(wrong))
    await eventually('it is without it', 20_000, async () => metasOf(a).join() === 'after,before')
    await putMeta(a, 'last', 10)
    expect(a.serverPid()).toBe(pid)
    const digest = digestOf(a)
    const stand = standOf(a)
    expect(stand.skipped).toEqual([position, wrong])

    await kill(a)
    forgetState(a)
    await a.data('up')
    expect(metasOf(a)).toEqual(['after', 'before', 'last'])
    expect(standOf(a).skipped).toEqual([position, wrong])
    expect(digest).toHaveLength(12)
  },
)

/** Behind the server's back: an entry that fits no table. */
async function appendPoison(fleet: TestFleet): Promise<number> {
  const paths = statePaths('default', { MUSTER_STATE_DIR: fleet.root })
  const identity = readIdentity(paths)
  if (identity === null) throw new Error('there is no server')
  const logger = createLogger(null)
  const peers = noPeers(identity, logger)
  const { position, number } = standOf(fleet)
  const log = await openFleetLog('control', {
    paths,
    identity,
    peers,
    from: 1,
    segmentBytes: 256 * 1024,
    logger,
    onFatal: (error) => expect.unreachable(error.message),
  })
  try {
    log.onCommitted(() => undefined)
    const entry = { type: 'delos.MetaPut', v: 1, at: Date.now(), actor: 'user:test', body: {}, position: number }
    expect(log.tail()).toBe(position + 1)
    return await log.append(encodeBatch({ position: position + 1, first: number, proposer: 1, seq: 1, entries: [entry] }))
  } finally {
    await log.close()
    await peers.close()
  }
}
