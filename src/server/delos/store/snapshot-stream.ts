import { createHash, randomBytes } from 'node:crypto'
import { mkdir, open, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type * as m from '../../../core/delos/wire/messages.ts'
import type { Sink } from '../../../core/delos/wire/service.ts'
import { isRefusal } from '../../../core/kernel/errors.ts'
import type { Materialiser } from './materialiser.ts'
import { makeEtcdFile } from './snapshot-file.ts'

export interface SnapshotStreamOptions {
  materialiser: Materialiser
  kvDb: string
  /** where the copy stands while it is sent */
  dir: string
  clusterId: bigint
  members: () => m.Member[]
  seal: (response: m.SnapshotResponse) => m.SnapshotResponse
  revision: () => number
}

/** Bytes of a message: the gateway makes a line of it. */
const BLOB_BYTES = 64 * 1024

/**
 * Sends the store to a client as it stands when all that was applied before is in its rows: the bytes of a file in
 * etcd's format, then their SHA-256 as the last message, as etcd does. `isOver` says that nobody listens any more.
 */
export async function streamSnapshot(options: SnapshotStreamOptions, sink: Sink<m.SnapshotResponse>, isOver: () => boolean): Promise<void> {
  const file = join(options.dir, `client-${randomBytes(8).toString('hex')}.db`)
  try {
    await options.materialiser.settled()
    await mkdir(options.dir, { recursive: true, mode: 0o700 })
    const { sizeBytes } = await makeEtcdFile(options.kvDb, file, options.members(), {
      clusterId: options.clusterId.toString(16),
      savedAtMs: Date.now(),
    })
    await sendFile(options, file, sizeBytes, sink, isOver)
    if (!isOver()) sink.end()
  } catch (error) {
    const isFull = isRefusal(error) && error.code === 'DISK_FULL'
    if (!isOver()) sink.end({ code: isFull ? 8 : 13, text: `muster: no snapshot was made: ${(error as Error).message}` })
  } finally {
    await rm(file, { force: true })
  }
}

async function sendFile(
  { seal, revision }: SnapshotStreamOptions,
  file: string,
  sizeBytes: number,
  sink: Sink<m.SnapshotResponse>,
  isOver: () => boolean,
): Promise<void> {
  let wake = (): void => {}
  sink.onReady(() => wake())
  const send = async (blob: Uint8Array, remaining: number): Promise<void> => {
    const header = { cluster_id: 0n, member_id: 0n, revision: revision(), raft_term: 0 }
    if (sink.send(seal({ header, remaining_bytes: remaining, blob })) || isOver()) return
    await new Promise<void>((resolve) => {
      // A reader that goes away is never ready again.
      const timer = setInterval(() => {
        if (isOver()) wake()
      }, 100)
      wake = () => {
        clearInterval(timer)
        resolve()
      }
    })
  }
  const hash = createHash('sha256')
  const handle = await open(file, 'r')
  try {
    for (let at = 0; at < sizeBytes && !isOver();) {
      const bytes = new Uint8Array(Math.min(BLOB_BYTES, sizeBytes - at))
      const { bytesRead } = await handle.read(bytes, 0, bytes.length, at)
      if (bytesRead === 0) throw new Error(`${file} ended at ${at}`)
      at += bytesRead
      hash.update(bytes.subarray(0, bytesRead))
      await send(bytes.subarray(0, bytesRead), sizeBytes - at)
    }
  } finally {
    await handle.close()
  }
  if (!isOver()) await send(hash.digest(), 0)
}
