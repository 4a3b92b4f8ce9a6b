import type { ScubaClient } from '../scuba/client.ts'

/**
 * A leaf whose live counts are taken to be whole only from a time on: before it another server led, and was told what the machines of the
 * fleet saw. What a guard asks of before counts as no data.
 */
export function seenSince(scuba: ScubaClient, sinceMs: number): ScubaClient {
  return {
    ...scuba,
    live: async (request) => {
      const answer = await scuba.live(request)
      const endMs = Math.min(request.toMs ?? Infinity, answer.nowMs)
      if (request.fromMs >= sinceMs || endMs <= request.fromMs) return answer
      const share = Math.max(0, endMs - sinceMs) / (endMs - request.fromMs)
      return { ...answer, coverage: Math.min(answer.coverage, share) }
    },
  }
}
