import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'vitest'
import type { z } from 'zod'
import type { ActionDef } from '../../../src/core/contracts/operation.ts'
import type { CarriedOut, Wish } from '../../../src/core/delos/programs/carry-out.ts'
import { MusterError } from '../../../src/core/kernel/errors.ts'
import { createLogger } from '../../../src/platform/logger.ts'
import { statePaths, type StatePaths } from '../../../src/platform/paths.ts'
import { holdIdentity } from '../../../src/server/state/identity.ts'
import { noPeers, openFleetLog } from '../../../src/server/delos/fleet-logs.ts'
import { openControlStore, type ControlStore } from '../../../src/server/delos/control-store.ts'
import { NO_STATE } from '../../support/no-state.ts'

/** The control plane's key-value store in a directory of its own. */
export interface KvStoreFixture {
  paths: StatePaths
  store: ControlStore
  run: <In extends z.ZodType, Out extends z.ZodType>(action: ActionDef<In, Out>, input: z.input<In>) => Promise<z.output<Out>>
  wish: <In extends z.ZodType>(action: ActionDef<In>, input: z.input<In>, wish: Partial<Wish>) => Promise<CarriedOut<unknown>>
  /** the code it is refused with; '' if it is not */
  refused: <In extends z.ZodType>(action: ActionDef<In>, input: z.input<In>, wish?: Partial<Wish>) => Promise<string>
  /** Closes it, forgets the rows if asked to, and opens it again. */
  reopen: (options?: { withoutDb: boolean }) => Promise<void>
  close: () => Promise<void>
}

export async function openKvStore(): Promise<KvStoreFixture> {
  const dir = mkdtempSync(join(tmpdir(), 'muster-kv-'))
  const paths = statePaths('default', { MUSTER_STATE_DIR: dir })
  mkdirSync(paths.log, { recursive: true })
  const onFatal = (error: Error): never => expect.unreachable(error.message)
  const logger = createLogger(null)
  const identity = await holdIdentity(paths)
  const peers = noPeers(identity, logger)
  const control = await openFleetLog('control', { paths, identity, peers, from: 1, logger, onFatal })
  const open = (): Promise<ControlStore> =>
    openControlStore({ paths, identity, peers, control, state: NO_STATE, logger, onFatal, segmentBytes: 2 * 1024 * 1024 })
  const fixture: KvStoreFixture = {
    paths,
    store: await open(),
    wish: (action, input, wish) =>
      fixture.store.operate(action.name, action.input.parse(input), { actor: 'user:test' }, { isPlan: false, apply: undefined, ...wish }),
    run: async (action, input) => action.output.parse((await fixture.wish(action, input, {})).value),
    refused: (action, input, wish = {}) =>
      fixture.wish(action, input, wish).then(
        () => '',
        (error: unknown) => (error instanceof MusterError ? error.code : String(error)),
      ),
    reopen: async (options = { withoutDb: false }) => {
      await fixture.store.close()
      if (options.withoutDb) for (const suffix of ['', '-wal', '-shm']) rmSync(paths.kvDb + suffix, { force: true })
      fixture.store = await open()
    },
    close: async () => {
      await fixture.store.close()
      await control.close()
      await peers.close()
      rmSync(dir, { recursive: true, force: true })
    },
  }
  return fixture
}
