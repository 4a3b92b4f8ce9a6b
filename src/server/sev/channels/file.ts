import { mkdir, open } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { failed, reasonOf, sent, type Channel } from './channel.ts'

/** Appends one JSON line and syncs it. A relative path is below the state directory. */
export const fileChannel: Channel = async (delivery, host) => {
  const path = resolve(host.paths.root, delivery.address)
  const { facts, firstLine, text } = delivery.page
  const line = JSON.stringify({ key: delivery.key, attempt: delivery.attempt, ...facts, firstLine, text })
  try {
    // Its folder is made, not its parents: a recursive mkdir below /proc never ends.
    await mkdir(dirname(path), { mode: 0o700 }).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error
    })
    const file = await open(path, 'a', 0o600)
    try {
      await file.write(`${line}\n`)
      await file.datasync()
    } finally {
      await file.close()
    }
  } catch (error) {
    return failed(`${path}: ${reasonOf(error)}`)
  }
  return sent('appended and synced')
}
