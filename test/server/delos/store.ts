import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { z } from 'zod'
import type { CommandDef, QueryDef } from '../../../src/core/contracts/operation.ts'
import type { System } from '../../../src/core/contracts/controller.ts'
import { MusterError } from '../../../src/core/kernel/errors.ts'
import type { ControlLog } from '../../../src/server/state/control-log.ts'
import { openTestLog } from '../../support/log.ts'
import { openStateDb } from '../../../src/server/state/state-db.ts'
import { stateDigest } from '../../../src/server/state/state-digest.ts'

/** A system on a real log in a directory of its own, with a clock that stands until it is moved. */
export interface Store {
  dir: string
  clock: { now: number }
  log: ControlLog
  run: <In extends z.ZodType, Out extends z.ZodType>(command: CommandDef<In, Out>, input: z.input<In>) => Promise<z.input<Out>>
  /** the code it is refused with; '' if it is not */
  refused: <In extends z.ZodType, Out extends z.ZodType>(command: CommandDef<In, Out>, input: z.input<In>) => Promise<string>
  ask: <In extends z.ZodType, Out extends z.ZodType>(query: QueryDef<In, Out>, input: z.input<In>) => z.input<Out>
  /** Lets a controller of the system decide once. */
  decide: (name: string, soft: unknown) => Promise<{ wakeAt: number | null; count: number }>
  digest: () => string
  /** Closes it, forgets the database if asked to, and opens it again. */
  reopen: (options?: { withoutDb: boolean }) => Promise<void>
  close: () => Promise<void>
}

export async function openStore(system: System): Promise<Store> {
  const dir = mkdtempSync(join(tmpdir(), 'muster-store-'))
  const clock = { now: 1_000_000 }
  const dbFile = join(dir, 'kv.db')
  const open = (): Promise<ControlLog> =>
    openTestLog({ folder: join(dir, 'log'), dbFile, systems: [system], clock: () => clock.now, segmentBytes: 2 * 1024 * 1024 })
  const context = { actor: 'user:test', role: 'admin' as const }
  const store: Store = {
    dir,
    clock,
    log: await open(),
    run: async (command, input) => {
      const checked = command.input.parse(input)
      const { value } = await store.log.submit({ actor: context.actor }, (db, at) => {
        const decision = command.decide(db, checked, { ...context, ...at })
        return decision instanceof MusterError ? decision : { entries: decision.entries, value: decision.reply }
      })
      return value
    },
    refused: (command, input) =>
      store.run(command, input).then(
        () => '',
        (error: unknown) => (error instanceof MusterError ? error.code : String(error)),
      ),
    ask: (query, input) => {
      const answer = query.answer(store.log.db, query.input.parse(input), { ...context, now: store.log.now(), position: store.log.tail() })
      if (answer instanceof MusterError) throw answer
      return answer
    },
    decide: async (name, soft) => {
      const controller = system.controllers.find((one) => one.name === name)
      let wakeAt: number | null = null
      const { entries } = await store.log.submit({ actor: `controller:${name}` }, (db, { now }) => {
        const verdict = controller?.decide(db, now, soft) ?? { entries: [], wakeAt: null }
        wakeAt = verdict.wakeAt
        return { entries: verdict.entries, value: () => undefined }
      })
      return { wakeAt, count: entries.length }
    },
    digest: () => {
      const db = openStateDb(dbFile)
      const digest = stateDigest(db)
      db.close()
      return digest
    },
    reopen: async (options = { withoutDb: false }) => {
      await store.log.close()
      if (options.withoutDb) for (const suffix of ['', '-wal', '-shm']) rmSync(dbFile + suffix, { force: true })
      store.log = await open()
    },
    close: async () => {
      await store.log.close()
      rmSync(dir, { recursive: true, force: true })
    },
  }
  return store
}
