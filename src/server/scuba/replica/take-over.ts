import { link, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { isRefusal } from '../../../core/kernel/errors.ts'
import { fileSha256, syncDirectory } from '../../../platform/files.ts'
import type { Store } from '../leaf/store.ts'
import { bodyOf } from './copied-batch.ts'
import type { Held } from './held.ts'

/**
 * Makes a copy's rows this leaf's own: its segments as they are, its batches taken in anew as they came, with the time and the key they came with. Begun
 * again after a crash it adds nothing twice: the manifest names the copy with its segments, and a batch without a key gets one of its number.
 */
export async function takeOver(store: Store, held: Held): Promise<void> {
  const { copy, of } = held
  if (copy === null) return
  const started = performance.now()
  const from = `${of} ${copy.session}`
  let rows = 0
  for (const [table, { segments, columns }] of Object.entries(copy.tables)) {
    if (segments.length === 0 || store.manifest.tables.get(table)?.adopted.has(from)) continue
    for (const { file, sha256 } of segments) await linkTo(held.segmentPath(file), store.segmentPath(file), sha256)
    await syncDirectory(join(store.dir, 'segments'))
    store.learnColumns(table, columns)
    await store.manifest.append({ kind: 'adopted', table, from, segments, columns }, () => store.adopt(table))
    rows += segments.reduce((sum, segment) => sum + segment.rows, 0)
  }
  await held.batches(async (record) => {
    const { table, seq, at, key } = record.header
    const { body, stored } = bodyOf(record)
    const take = (name: string): Promise<unknown> => store.ingest(table, body, { key: name, ack: 'fsync', atMs: at, stored })
    const own = `${from} ${seq}`
    await take(key?.key ?? own).catch((error: unknown) => {
      // The key came here before with other rows: these are as good.
      if (isRefusal(error) && error.code === 'SCUBA_KEY_REUSED') return take(own)
      throw error
    })
    rows += record.header.rows
  })
  // Those of batches in segments; the others are known by now.
  for (const [table, key, known] of held.keys.since(0, () => true))
    if (store.keys.get(table, key) === undefined) store.keys.put(table, key, known)
  await store.keys.save()
  store.log.info("another leaf's rows are this leaf's own now", { of, rows, ms: Math.round(performance.now() - started) })
}

/** The same file under both names: no byte is written again. @throws when another file stands there */
async function linkTo(from: string, to: string, sha256: string): Promise<void> {
  if (await stat(to).catch(() => null)) {
    if ((await fileSha256(to)) === sha256) return
    throw new Error(`another segment is called ${to}`)
  }
  await link(from, to)
}
