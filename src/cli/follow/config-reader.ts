import { pause } from '../../client/pause.ts'
import { isRefusal } from '../../core/kernel/errors.ts'
import type { Client } from '../client.ts'
import type { ConfigView } from '../render/delos-config.ts'

/** It reads again after so long though nothing changed, so that a server that took the lead knows who reads. */
const AGAIN_MS = 10_000

/**
 * A configuration as one reader gets it: the version it has, then each one that it is given, until the signal is aborted. Goes on over
 * restarts of the server; what was replaced before it was read is left out. Rejects when the first read is refused, or when the
 * configuration is gone.
 */
export async function* readConfig(client: Client, name: string, reader: string, signal: AbortSignal): AsyncGenerator<ConfigView> {
  const read = () => client.call<ConfigView>('delos.config.get', { name, reader }, { signal })
  const first = await read()
  yield first.data
  let { version } = first.data
  let changed = new AbortController()
  const following = (async () => {
    for await (const { entry } of client.events({ from: first.position, types: ['delos.Config'], signal }))
      if ((entry as { body: { name: string } }).body.name === name) changed.abort()
  })()
  // Its end is that of the watch; why is known from the reads.
  following.catch(() => undefined)
  while (!signal.aborted) {
    await pause(AGAIN_MS, AbortSignal.any([signal, changed.signal])).catch(() => undefined)
    changed = new AbortController()
    try {
      const { data } = await read()
      if (data.version !== version) yield data
      ;({ version } = data)
    } catch (error) {
      if (signal.aborted) return
      // A server that is away is waited for; any other refusal is the answer.
      if (!isRefusal(error) || error.exit !== 6) throw error
      await pause(500, signal).catch(() => undefined)
    }
  }
}
