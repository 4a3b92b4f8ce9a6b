import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { LogletEntry } from '../../../../src/core/contracts/loglet.ts'
import { BatchWriter } from '../../../../src/core/delos/engines/batch.ts'
import { COMMAND_KIND } from '../../../../src/core/delos/kv/command-kind.ts'
import { encodeBody } from '../../../../src/core/delos/kv/command-codec.ts'
import { NOBODY, type KvCommand } from '../../../../src/core/delos/kv/command.ts'
import { createStore } from '../../../../src/core/delos/kv/store.ts'
import { createLogger } from '../../../../src/platform/logger.ts'
import { openArchiveWriter } from '../../../../src/server/delos/archive/archive-writer.ts'
import { replayArchive, type ReplayFrom } from '../../../../src/server/delos/snapshot/replay.ts'

let root = ''
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'muster-replay-'))
})
afterEach(() => rmSync(root, { recursive: true, force: true }))

const putOf = (key: string): KvCommand => ({
  kind: 'put',
  request: { key, value: Buffer.from(key), lease: 0n, prev_kv: false, ignore_value: false, ignore_lease: false },
  who: NOBODY,
})

/** A batch with one put, at a log time of a hundred times its position. */
function batch(position: number, key: string, seq = position): LogletEntry {
  const writer = new BatchWriter()
  const command = putOf(key)
  writer.add(COMMAND_KIND[command.kind], encodeBody(command))
  return { position, payload: writer.finish({ timeMs: position * 100, proposer: 7, seq }) }
}

async function archive(entries: readonly LogletEntry[], skips: readonly number[] = []): Promise<void> {
  const identity = { cluster: 'c0ffee', server: '1a', name: 'a', leaseTtlMinS: 1 }
  const writer = await openArchiveWriter({ to: root, identity, logger: createLogger(null) })
  await writer.append(entries)
  await writer.commit(skips)
  await writer.close()
}

/** Of a store that applied positions 1 and 2. */
function snapshot(): ReplayFrom {
  const store = createStore()
  for (const position of [1, 2]) store.apply(putOf(`k${position}`), { position, timeMs: position * 100 })
  const rows = store.dump()
  const { revision, epoch, digest } = rows.state
  const exact = {
    timeMs: 200,
    proposers: [[7, 2, [1, 2]] as [number, number, number[]]],
    revision,
    epoch,
    digest,
    alarms: [],
    sessions: [],
  }
  return { rows, position: 2, exact, cluster: 'c0ffee' }
}

const keysOf = async (...args: Parameters<typeof replayArchive>): Promise<string[]> =>
  (await replayArchive(...args)).rows.versions.map(({ key }) => key)

test('a batch that stands in the log twice, once before the snapshot and once behind it, is applied once, as the servers did', async () => {
  await archive([batch(1, 'k1'), batch(2, 'k2'), batch(3, 'k2', 2), batch(4, 'k4'), batch(5, 'k4', 4)])
  const replayed = await replayArchive(snapshot(), root, null)
  expect(replayed.rows.versions.map(({ key, version }) => [key, version])).toEqual([
    ['k1', 1],
    ['k2', 1],
    ['k4', 1],
  ])
  expect(replayed).toMatchObject({ position: 5, timeMs: 500 })
})

test('a position that the servers passed over is passed over', async () => {
  await archive([batch(3, 'k3'), batch(4, 'poison'), batch(5, 'k5')], [4])
  expect(await keysOf(snapshot(), root, null)).toEqual(['k1', 'k2', 'k3', 'k5'])
})

test('a time ends it at the last change at or before it', async () => {
  await archive([batch(3, 'k3'), batch(4, 'k4'), batch(5, 'k5')])
  expect(await keysOf(snapshot(), root, { timeMs: 400 })).toEqual(['k1', 'k2', 'k3', 'k4'])
  expect(await keysOf(snapshot(), root, { timeMs: 499 })).toEqual(['k1', 'k2', 'k3', 'k4'])
  await expect(keysOf(snapshot(), root, { timeMs: 199 })).rejects.toMatchObject({ code: 'USAGE' })
})

test('a hole is never crossed: before it may be restored, behind it not, and a snapshot older than the archive is refused', async () => {
  await archive([batch(3, 'k3')])
  await archive([batch(6, 'k6')])
  expect(await keysOf(snapshot(), root, { position: 3 })).toEqual(['k1', 'k2', 'k3'])
  expect(await keysOf(snapshot(), root, { timeMs: 250 })).toEqual(['k1', 'k2'])
  await expect(keysOf(snapshot(), root, null)).rejects.toMatchObject({ code: 'DELOS_ARCHIVE_INVALID' })
  await expect(keysOf(snapshot(), root, { position: 6 })).rejects.toMatchObject({ code: 'DELOS_ARCHIVE_INVALID' })
  await expect(keysOf({ ...snapshot(), position: 1 }, root, null)).rejects.toMatchObject({ code: 'DELOS_ARCHIVE_INVALID' })
})

test('a snapshot that does not say which batches it holds is refused', async () => {
  await archive([batch(3, 'k3')])
  await expect(keysOf({ ...snapshot(), exact: undefined }, root, null)).rejects.toMatchObject({ code: 'USAGE' })
})
