import type { WatchView } from '../../core/deploy/queries.ts'
import type { Client } from '../client.ts'

/** How often the numbers are asked for again between entries, ms. */
const REFRESH_MS = 1000

/**
 * Views of a rollout: one at once, one after each entry that concerns it, and one a second for the numbers, until it has
 * ended or the signal is aborted. Never doubles a view that did not change in anything but its time.
 */
export async function* followRollout(client: Client, rollout: string, signal: AbortSignal): AsyncGenerator<WatchView> {
  let wake = (): void => undefined
  const end = new AbortController()
  const both = AbortSignal.any([signal, end.signal])
  const ask = async () => client.call<WatchView>('deploy.watch', { rollout }, { signal: both })
  const listen = async (from: number | undefined): Promise<void> => {
    for await (const _event of client.events({ ...(from === undefined ? {} : { from }), types: ['deploy.', 'tw.Split'], signal: both }))
      wake()
  }
  try {
    const first = await ask()
    yield first.data
    // A lost stream only costs the quick refresh; the timer goes on.
    void listen(first.position).catch(() => undefined)
    let last = first.data
    while (!signal.aborted && last.rollout.endedAtMs === null) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, REFRESH_MS)
        wake = () => {
          clearTimeout(timer)
          resolve()
        }
        signal.addEventListener('abort', wake, { once: true })
      })
      if (signal.aborted) return
      last = (await ask()).data
      yield last
    }
  } catch (error) {
    if (!signal.aborted) throw error
  } finally {
    end.abort()
  }
}
