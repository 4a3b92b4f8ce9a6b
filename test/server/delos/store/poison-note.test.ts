import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { NOBODY, type KvCommand } from '../../../../src/core/delos/kv/command.ts'
import { createStore } from '../../../../src/core/delos/kv/store.ts'
import { createLogger } from '../../../../src/platform/logger.ts'
import { readRowsFile, startMaterialiser } from '../../../../src/server/delos/store/materialiser.ts'
import { openPoisonNote } from '../../../../src/server/delos/store/poison-note.ts'
import { openReplica, type Replica } from '../../../../src/server/delos/store/replica.ts'
import { EMPTY_CURSOR } from '../../../../src/server/delos/store/rows-file.ts'
import { openFileLog } from '../../../support/file-log.ts'

const dirs: string[] = []
afterEach(() => {
  for (const dir of dirs.splice(0)) rmSync(dir, { recursive: true, force: true })
})
const newDir = (): string => {
  const dir = mkdtempSync(join(tmpdir(), 'muster-poison-'))
  dirs.push(dir)
  return dir
}

/** A process that dies while it applies a position: nothing is closed. */
const dieOf = (dir: string, position: number): void => openPoisonNote(dir).before(position)

test('a position is left alone once two processes died of it, not because processes died between positions', () => {
  const dir = newDir()
  openPoisonNote(dir)
  const second = openPoisonNote(dir)
  second.before(7)
  second.after()
  dieOf(dir, 8)
  expect(openPoisonNote(dir).poisoned).toBeNull()
  dieOf(dir, 8)
  expect(openPoisonNote(dir).poisoned).toBe(8)
})

test('an exception counts like a death, also in a process that began after a clean end', () => {
  const dir = newDir()
  openPoisonNote(dir).threw(3)
  dieOf(dir, 3)
  expect(openPoisonNote(dir).poisoned).toBe(3)
})

test('a clean end leaves no note', () => {
  const dir = newDir()
  openPoisonNote(dir).close()
  expect(existsSync(join(dir, 'applying'))).toBe(false)
})

const put = (key: string): KvCommand => ({
  kind: 'put',
  request: { key, value: new Uint8Array([1]), lease: 0n, prev_kv: false, ignore_value: false, ignore_lease: false },
  who: NOBODY,
})
const ask = (replica: Replica, command: KvCommand): Promise<string | null> =>
  new Promise((resolve) => replica.submit(command, null, (error) => resolve(error === null ? null : error.text)))

test('a store goes no further than before such a position, names its command, and the log goes on', async () => {
  const dir = newDir()
  const logger = createLogger(null)
  const start = async (skips: ReadonlySet<number> | null = null): Promise<Replica> =>
    openReplica({
      log: await openFileLog(join(dir, 'log'), { segmentBytes: 1024 * 1024 }),
      ...{ store: createStore({}), cursor: EMPTY_CURSOR, materialiser: startMaterialiser(join(dir, 'kv.db'), logger), logger },
      ...{ now: () => 1000, onFatal: () => undefined, poison: openPoisonNote(dir), skips },
    })
  const before = await start()
  for (const key of ['a', 'b', 'c']) expect(await ask(before, put(key))).toBeNull()
  await before.close()
  openPoisonNote(dir)
  dieOf(dir, 3)
  dieOf(dir, 3)
  const after = await start()
  expect([after.applied, after.store.keyCount]).toEqual([2, 2])
  expect(await ask(after, put('d'))).toBe('muster: applying position 3 (put) ends this server: DELOS_POISON')
  expect(await after.log.append(new Uint8Array(64))).toBe(4)
  expect(after.applied).toBe(2)
  await after.close()

  // Also what is no batch at all.
  const skipping = await start(new Set([3, 4]))
  expect([skipping.applied, skipping.skipped, skipping.store.keyCount]).toEqual([4, [3, 4], 2])
  expect(await ask(skipping, put('e'))).toBeNull()
  await skipping.close()
  // The note is forgotten with it.
  expect(openPoisonNote(dir).poisoned).toBeNull()
})

test('a store that applied what is to be skipped goes no further, and is to be made without it', async () => {
  const dir = newDir()
  const logger = createLogger(null)
  const file = join(dir, 'kv.db')
  const anew: boolean[] = []
  const start = async (skips: ReadonlySet<number> | null): Promise<Replica> => {
    const kept = readRowsFile(file, logger)
    return openReplica({
      log: await openFileLog(join(dir, 'log'), { segmentBytes: 1024 * 1024 }),
      ...{
        store: createStore({}, kept?.rows),
        cursor: kept?.cursor ?? EMPTY_CURSOR,
        materialiser: startMaterialiser(file, logger),
        logger,
      },
      ...{ now: () => 1000, onFatal: () => undefined, skips, onAnew: (isFit: boolean) => anew.push(isFit) },
    })
  }
  const running = await start(null)
  for (const key of ['a', 'b']) expect(await ask(running, put(key))).toBeNull()
  running.skip(new Set([9]))
  expect(await ask(running, put('c'))).toBeNull()
  running.skip(new Set([2, 9]))
  expect(await ask(running, put('d'))).toContain('makes its store anew')
  await running.close()
  const again = await start(new Set([2, 9]))
  expect([anew, again.applied]).toEqual([[false, false], 3])
  await again.close()
  rmSync(file)
  const made = await start(new Set([2, 9]))
  expect([made.applied, made.skipped, made.store.keyCount]).toEqual([3, [2], 2])
  expect(await ask(made, put('e'))).toBeNull()
  await made.close()
  // Its rows say what they are without, so that the next start takes them.
  const last = await start(new Set([2, 9]))
  expect([anew.length, last.skipped, last.store.keyCount]).toEqual([2, [2], 3])
  await last.close()
})
