import { followFile } from '../../platform/follow-file.ts'
import { unreadable, Waiting } from './batches.ts'
import type { Sender } from './sender.ts'

export interface FollowOptions {
  path: string
  bytesMax: number
  /** batches are known by it, the file and their place in it */
  key: string | undefined
  /** begins in the file behind what the store has of it */
  isResumed: boolean
}

/**
 * Sends a file and what is appended to it, one batch after the other. The key of a batch says where in which file it stands: the store
 * itself knows up to where a file was sent, and no other note of it is kept.
 */
export async function sendFollowing(sender: Sender, { path, bytesMax, key, isResumed }: FollowOptions, signal: AbortSignal): Promise<void> {
  let number = 0
  let file: string | null = null
  let offset = 0
  let waiting = new Waiting()
  const send = async (batch: Buffer | null): Promise<boolean> => {
    if (batch === null) return false
    const end = offset + batch.length
    await sender.send((number += 1), batch, key === undefined ? undefined : `${key}@${file}:${offset}-${end}`)
    offset = end
    return true
  }
  const from = async (name: string): Promise<number> => {
    // The last line of the file before has no end, and gets none any more.
    if (file !== null) await send(waiting.rest())
    waiting = new Waiting()
    file = name
    offset = isResumed && key !== undefined ? await sentUpTo(sender, `${key}@${name}:`) : 0
    return offset
  }
  try {
    for await (const piece of followFile(path, from, signal)) {
      if (piece === null) {
        await send(waiting.lines())
        continue
      }
      waiting.add(piece)
      while (await send(waiting.full(bytesMax)));
    }
  } catch (error) {
    throw unreadable(error, path)
  }
  await send(waiting.lines())
}

/** Where in its file the last batch ends that the store has. */
async function sentUpTo(sender: Sender, prefix: string): Promise<number> {
  const ends = (await sender.receipts(prefix, true)).map(({ key }) => Number(key.slice(key.lastIndexOf('-') + 1)))
  return Math.max(0, ...ends.filter((end) => Number.isSafeInteger(end)))
}
