import type { ScubaClient } from './client.ts'

const BEAT_MS = 30_000

export interface Heartbeat {
  /** ms since the last beat, by a clock that only goes forward */
  silentMs: () => number
  /** a look at all rules has ended */
  looked: (part: 'alerts' | 'slos') => void
  start: () => void
  stop: () => void
}

/** Beats every 30 s if rules and objectives were both looked at since the last beat, and the leaf that they ask is there. */
export function createHeartbeat(client: Pick<ScubaClient, 'health'>): Heartbeat {
  let beatAt = performance.now()
  const looked = new Set<'alerts' | 'slos'>()
  let timer: NodeJS.Timeout | null = null
  const beat = async (): Promise<void> => {
    try {
      const { isEngineReady } = await client.health()
      if (isEngineReady && looked.size === 2) {
        beatAt = performance.now()
        looked.clear()
      }
    } catch {
      // No answer is no beat: that is what it is for.
    }
  }
  return {
    silentMs: () => performance.now() - beatAt,
    looked: (part) => void looked.add(part),
    start: () => {
      beatAt = performance.now()
      timer = setInterval(() => void beat(), BEAT_MS)
    },
    stop: () => {
      if (timer) clearInterval(timer)
    },
  }
}
