import { pause } from '../../client/pause.ts'
import type { FleetSummary } from '../../core/tw/queries.ts'
import type { Client } from '../client.ts'

/** A picture of the fleet that is newer than the last one, or why there is none. */
export type FleetNews = { summary: FleetSummary; position: number } | { trouble: string }

export interface FleetWish {
  cellsMax?: number
  jobsMax?: number
  filter?: string
}

/** Pictures come no quicker than this, ms, however much happens. */
const GAP_MS = 500
/** Nor does answering them take more than one part of so many of the server's time. */
const COST_PARTS = 20
const RETRY_MS = 1000

/**
 * Pictures of the fleet: one at once, then one after something of tw happened, until the signal is aborted. Nothing is asked for
 * while nothing happens. Rejects when the first picture is refused; later troubles are news.
 * @param wish read again for every picture; `again` gives the function that asks for one at once
 */
export async function* followFleet(
  client: Client,
  wish: () => FleetWish,
  signal: AbortSignal,
  again: (now: () => void) => void = () => undefined,
): AsyncGenerator<FleetNews> {
  let isDirty = false
  let wake = (): void => undefined
  const dirty = (): void => {
    isDirty = true
    wake()
  }
  again(dirty)
  const end = new AbortController()
  const both = AbortSignal.any([signal, end.signal])
  const ask = () => client.call<FleetSummary>('tw.fleet.summary', wish(), { signal: both })
  const listen = async (from: number): Promise<void> => {
    // A picture that cannot be made anew says that the server is away.
    for await (const _event of client.events({ from, types: ['tw.'], signal: both, onLost: dirty })) dirty()
  }
  try {
    const first = await ask()
    yield { summary: first.data, position: first.position }
    let trouble = ''
    void listen(first.position).catch((error: Error) => {
      trouble = `no events any more: ${error.message}`
      dirty()
    })
    while (!signal.aborted) {
      if (!isDirty) {
        await new Promise<void>((resolve) => {
          wake = resolve
          signal.addEventListener('abort', () => resolve(), { once: true })
        })
      }
      if (signal.aborted) return
      isDirty = false
      const startedAt = performance.now()
      try {
        if (trouble !== '') yield { trouble }
        const { data, position } = await ask()
        yield { summary: data, position }
        await pause(Math.max(GAP_MS, COST_PARTS * (performance.now() - startedAt)), signal)
      } catch (error) {
        if (signal.aborted) return
        yield { trouble: (error as Error).message }
        isDirty = true
        await pause(RETRY_MS, signal)
      }
    }
  } catch (error) {
    if (!signal.aborted) throw error
  } finally {
    end.abort()
  }
}
