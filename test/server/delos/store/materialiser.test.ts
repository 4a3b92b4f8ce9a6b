import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { afterAll, describe, expect, it } from 'vitest'
import { NOBODY, type KvCommand } from '../../../../src/core/delos/kv/command.ts'
import { createStore } from '../../../../src/core/delos/kv/store.ts'
import type { KvStore } from '../../../../src/core/delos/kv/store-contract.ts'
import { createPrng } from '../../../../src/core/kernel/prng.ts'
import { createLogger } from '../../../../src/platform/logger.ts'
import { readRowsFile, startMaterialiser } from '../../../../src/server/delos/store/materialiser.ts'

const dir = mkdtempSync(join(tmpdir(), 'muster-rows-'))
afterAll(() => rmSync(dir, { recursive: true, force: true }))
const log = createLogger(null)

/** A few hundred changes of all kinds, from a seed. */
function* commands(seed: number): Generator<KvCommand> {
  const random = createPrng(seed).next
  const key = (): string => `k${Math.floor(random() * 20)}\u00ff`
  yield { kind: 'leaderClaimed', serverId: '1' }
  yield { kind: 'leaseGrant', id: -7n, ttlS: 60, who: NOBODY }
  yield { kind: 'leaseGrant', id: 2n ** 62n, ttlS: 60, who: NOBODY }
  yield { kind: 'auth', change: { kind: 'userAdd', name: 'anna', passwordHash: 'x', noPassword: false }, who: NOBODY }
  yield { kind: 'auth', change: { kind: 'roleAdd', role: 'r' }, who: NOBODY }
  const permission = { permType: 2, key: 'a\u0000', range_end: '\u00ff' }
  yield { kind: 'auth', change: { kind: 'roleGrantPermission', role: 'r', permission }, who: NOBODY }
  yield { kind: 'alarm', action: 'raise', memberId: 2n ** 63n + 1n, type: 2, who: NOBODY }
  yield { kind: 'alarm', action: 'clear', memberId: 2n ** 63n + 1n, type: 2, who: NOBODY }
  for (let i = 0; i < 300; i += 1) {
    const value = new Uint8Array(Math.floor(random() * 200)).fill(i)
    const lease = random() < 0.2 ? (random() < 0.5 ? -7n : 2n ** 62n) : 0n
    if (random() < 0.15) yield { kind: 'deleteRange', request: { key: key(), range_end: '', prev_kv: false }, who: NOBODY }
    else
      yield {
        kind: 'put',
        request: { key: key(), value, lease, prev_kv: false, ignore_value: false, ignore_lease: false },
        who: NOBODY,
      }
    if (i === 150) yield { kind: 'compact', request: { revision: 100, physical: true }, who: NOBODY }
    if (i === 250) yield { kind: 'leaseRevoke', id: -7n, who: NOBODY }
  }
}

async function writeAll(file: string, store: KvStore, seed: number): Promise<void> {
  const rows = startMaterialiser(file, log)
  let position = 0
  rows.start(() => ({ position, timeMs: 5, sessions: [[9, 3, [1, 3]]], skipped: [2] }))
  for (const command of commands(seed)) {
    position += 1
    store.apply(command, { position, timeMs: position })
    while (store.compactStep(7));
    const changes = store.takeChanges()
    if (changes !== null) rows.push(changes)
    // Sometimes the thread gets to write in between, sometimes changes gather.
    if (position % 37 === 0) await rows.sync()
  }
  await rows.close()
}

describe('rows in kv.db', () => {
  it('are the store: what is loaded from them gives the same rows and the same digest', async () => {
    for (const seed of [1, 2, 3]) {
      const file = join(dir, `kv-${seed}.db`)
      const store = createStore({})
      await writeAll(file, store, seed)
      const kept = readRowsFile(file, log)
      expect(kept?.cursor).toEqual({ position: store.cursor, timeMs: 5, sessions: [[9, 3, [1, 3]]], skipped: [2] })
      const again = createStore({}, kept?.rows)
      expect(again.dump()).toEqual(store.dump())
      expect(again.digest).toBe(store.digest)
    }
  })

  it('that compaction keeps few take their write-ahead log in before it is many times as large as they are', async () => {
    const file = join(dir, 'churn.db')
    const store = createStore({})
    const rows = startMaterialiser(file, log, { syncEveryMs: 2 ** 30 })
    let position = 0
    let largest = 0
    rows.start(() => ({ position, timeMs: 5, sessions: [], skipped: [] }))
    const change = (command: KvCommand): void => {
      position += 1
      store.apply(command, { position, timeMs: position })
      while (store.compactStep(100));
      const changes = store.takeChanges()
      if (changes !== null) rows.push(changes)
    }
    const value = new Uint8Array(1024 * 1024)
    for (let i = 0; i < 36; i += 1) {
      const request = { key: 'k', value, lease: 0n, prev_kv: false, ignore_value: false, ignore_lease: false }
      change({ kind: 'put', request, who: NOBODY })
      change({ kind: 'compact', request: { revision: store.revision, physical: true }, who: NOBODY })
      await rows.settled()
      largest = Math.max(largest, statSync(`${file}-wal`).size)
    }
    await rows.close()
    // 36 MiB were written.
    expect(largest).toBeLessThan(32 * 1024 * 1024)
  })

  it('of the format in which each version had a row are taken over into chunks, once', async () => {
    const file = join(dir, 'format-1.db')
    const store = createStore({})
    await writeAll(file, store, 4)
    const kept = readRowsFile(file, log)
    const db = new Database(file)
    db.exec(`
      DROP TABLE kv_chunk;
      CREATE TABLE kv_rev (
        rev INTEGER NOT NULL, sub INTEGER NOT NULL, key BLOB NOT NULL, "create" INTEGER NOT NULL, version INTEGER NOT NULL,
        lease INTEGER, del INTEGER NOT NULL, value BLOB NOT NULL, PRIMARY KEY (rev, sub)
      ) WITHOUT ROWID;
      PRAGMA user_version = 1;
    `)
    const insert = db.prepare('INSERT INTO kv_rev VALUES (?, ?, ?, ?, ?, ?, ?, ?)')
    for (const { key, create_revision, mod_revision, version, value, lease, sub, isDeleted } of kept?.rows.versions ?? []) {
      const id = lease === 0n ? null : lease
      insert.run(mod_revision, sub, Buffer.from(key, 'latin1'), create_revision, version, id, isDeleted ? 1 : 0, Buffer.from(value))
    }
    db.close()
    for (let opened = 0; opened < 2; opened += 1) expect(readRowsFile(file, log)).toEqual(kept)
    const again = new Database(file, { readonly: true })
    expect(again.prepare("SELECT count(*) FROM sqlite_schema WHERE name = 'kv_rev'").pluck().get()).toBe(0)
    again.close()
  })

  it('that are damaged are thrown away: the log has everything', () => {
    const file = join(dir, 'damaged.db')
    writeFileSync(file, 'this is no database, though it has that name'.repeat(100))
    expect(readRowsFile(file, log)).toBeNull()
    expect(readRowsFile(file, log)).toBeNull()
  })
})
