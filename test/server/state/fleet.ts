import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { z } from 'zod'
import type { System } from '../../../src/core/contracts/controller.ts'
import { defineEntry } from '../../../src/core/contracts/entry.ts'
import { MusterError, refuse } from '../../../src/core/kernel/errors.ts'
import { createLogger } from '../../../src/platform/logger.ts'
import { openControlLog, type ControlLog } from '../../../src/server/state/control-log.ts'
import { openStateDb } from '../../../src/server/state/state-db.ts'
import { stateDigest } from '../../../src/server/state/state-digest.ts'
import { FakeLogWorld } from './fake-log.ts'

/** `seen`: rows that were there when it was decided; a row keeps whether that was so when it was applied, and how often it was. */
const taken = defineEntry({
  type: 'toy.Taken',
  body: z.object({ key: z.string(), by: z.string(), seen: z.number() }),
  apply: (db, { key, by, seen }) => {
    const { n } = db.get<{ n: number }>('SELECT count(*) AS n FROM toy_taken') ?? { n: -1 }
    db.run(
      'INSERT INTO toy_taken(key, by, is_fresh, times) VALUES (?, ?, ?, 1) ON CONFLICT(key) DO UPDATE SET times = times + 1',
      key,
      by,
      n === seen ? 1 : 0,
    )
  },
})
export const toySystem: System = {
  name: 'toy',
  tables: ['CREATE TABLE toy_taken (key TEXT PRIMARY KEY, by TEXT NOT NULL, is_fresh INTEGER NOT NULL, times INTEGER NOT NULL)'],
  entries: [taken],
  operations: [],
  controllers: [],
}

export interface TakenRow {
  key: string
  by: string
  is_fresh: number
  times: number
}

export interface Answer {
  key: string
  by: string
  /** `taken`, or the code of the refusal */
  code: string
}

/** A name is taken by who asks first; DELOS_CONFLICT when somebody has it. */
export async function take(control: ControlLog, key: string, by: string): Promise<Answer> {
  try {
    await control.submit({ actor: by }, (db) => {
      if (db.get('SELECT 1 FROM toy_taken WHERE key = ?', key)) return refuse('DELOS_CONFLICT', key)
      const { n } = db.get<{ n: number }>('SELECT count(*) AS n FROM toy_taken') ?? { n: -1 }
      return { entries: [taken.of({ key, by, seen: n })], value: () => undefined }
    })
    return { key, by, code: 'taken' }
  } catch (error) {
    return { key, by, code: error instanceof MusterError ? error.code : String(error) }
  }
}

export const rowsOf = (control: ControlLog): TakenRow[] => control.db.all<TakenRow>('SELECT * FROM toy_taken ORDER BY key')
/** Everything that was begun and waits for nothing is over. */
export const settled = async (): Promise<void> => {
  for (let i = 0; i < 4; i += 1) await new Promise((resolve) => setImmediate(resolve))
}

/** Several control logs on one simulated log. */
export interface FakeFleet {
  world: FakeLogWorld
  controls: ControlLog[]
  /** Ends a server, which never hears what becomes of its last batch, and starts it again from its database. */
  restart: (server: number) => Promise<void>
  digests: () => string[]
  dbFile: (server: number) => string
  close: () => Promise<void>
}

/** Positions between two digests of the state. */
export const MARK_EVERY = 4

export async function openFakeFleet(count: number, stallMs = 10_000): Promise<FakeFleet> {
  const dir = mkdtempSync(join(tmpdir(), 'muster-fleet-'))
  const world = new FakeLogWorld()
  const servers = Array.from({ length: count }, () => world.add())
  const dbFile = (server: number): string => join(dir, `${server}.db`)
  const open = (server: number): Promise<ControlLog> =>
    openControlLog({
      openLog: async (from) => (servers[server] as (typeof servers)[number]).open(from),
      ...{ dbFile: dbFile(server), systems: [toySystem], clock: () => 1000, log: createLogger(null), markEvery: MARK_EVERY, stallMs },
      onFatal: (error) => {
        throw error
      },
    })
  const fleet: FakeFleet = {
    world,
    controls: [],
    dbFile,
    restart: async (server) => {
      let isClosed = false
      const closing = (fleet.controls[server] as ControlLog).close().then(() => (isClosed = true))
      while (!isClosed) {
        for (const flight of world.flights) if (flight.server === server) world.fail(flight, 'DELOS_OUTCOME_UNKNOWN')
        world.servers[server]?.give()
        await settled()
      }
      await closing
      fleet.controls[server] = await open(server)
    },
    digests: () =>
      servers.map(({ number }) => {
        const db = openStateDb(dbFile(number))
        const digest = stateDigest(db)
        db.close()
        return digest
      }),
    close: async () => {
      for (const { number } of servers) await fleet.restart(number)
      for (const control of fleet.controls) await control.close()
      rmSync(dir, { recursive: true, force: true })
    },
  }
  for (const { number } of servers) fleet.controls.push(await open(number))
  return fleet
}
