import type { Answer, Client } from '../client.ts'
import type { EntryRow } from '../render/delos.ts'

export interface WatchOptions<T> {
  /** the whole picture, as the command would print it once */
  snapshot: () => Promise<Answer<T>>
  /** the picture as text, for a terminal */
  render: (data: T) => string
  /** prefixes of entry types that concern it, e.g. `deploy.` */
  types: readonly string[]
  /** one plain line for an entry; used off a terminal */
  describe: (entry: EntryRow) => string
  /** true once there is nothing left to wait for: the watch ends and gives the last picture */
  isDone?: (data: T) => boolean
}

export interface WatchOutput {
  kind: 'json' | 'screen' | 'lines'
  write: (text: string) => void
  signal: AbortSignal
}

/**
 * Follows something: repaints on a terminal; elsewhere plain lines, or JSON Lines of `snapshot`, `event` and `result`.
 * Resumes from the position of the snapshot, so nothing between it and the first event is missed.
 */
export async function watch<T>(client: Client, options: WatchOptions<T>, output: WatchOutput): Promise<T> {
  let latest = await options.snapshot()
  const paint = (): void => {
    if (output.kind === 'screen') output.write(`\u001b[H\u001b[2J${options.render(latest.data)}\n`)
  }
  if (output.kind === 'json') output.write(`${JSON.stringify({ type: 'snapshot', position: latest.position, data: latest.data })}\n`)
  else if (output.kind === 'lines') output.write(`${options.render(latest.data)}\n`)
  paint()
  const isDone = options.isDone ?? (() => false)
  if (!isDone(latest.data)) {
    const end = new AbortController()
    const signal = AbortSignal.any([output.signal, end.signal])
    for await (const event of client.events({ from: latest.position, types: options.types, signal })) {
      const entry = event.entry as EntryRow
      if (output.kind === 'json') output.write(`${JSON.stringify({ type: 'event', position: event.id, entry })}\n`)
      else if (output.kind === 'lines') output.write(`${options.describe(entry)}\n`)
      // The picture is of a position: what it holds already needs no new one.
      if (event.id < latest.position) continue
      latest = await options.snapshot()
      paint()
      if (isDone(latest.data)) break
    }
    end.abort()
  }
  if (output.kind === 'json') output.write(`${JSON.stringify({ type: 'result', position: latest.position, data: latest.data })}\n`)
  else if (output.kind === 'lines' && !output.signal.aborted) output.write(`${options.render(latest.data)}\n`)
  return latest.data
}
