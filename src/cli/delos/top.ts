import type { ChannelOptions } from '../../client/channel.ts'
import { pause } from '../../client/pause.ts'
import type { ServerView, StoreView } from './store-view.ts'

/** One server in one picture. Rates are of the last seconds; null: not known, as of an etcd in the first picture. */
export interface TopRow {
  server: ServerView
  appendsPerS: number | null
  /** changes in one batch: what shares one fdatasync */
  batch: number | null
  commitP50Ms: number | null
  commitP99Ms: number | null
  readsPerS: number | null
  loopP99Ms: number | null
}

export interface TopFrame {
  /** this machine's clock, ms since the epoch */
  at: number
  store: StoreView
  rows: TopRow[]
}

/** A picture of what was seen; `before` helps with servers that tell positions only. */
export function topFrameOf(store: StoreView, at: number, before: TopFrame | null): TopFrame {
  return { at, store, rows: store.servers.map((server) => rowOf(server, at, before)) }
}

function rowOf(server: ServerView, at: number, before: TopFrame | null): TopRow {
  const { page } = server
  if (page !== null) {
    const { entriesPerS, batchesPerS, readsPerS } = page.rates
    return {
      server,
      appendsPerS: entriesPerS,
      batch: batchesPerS === 0 ? null : entriesPerS / batchesPerS,
      commitP50Ms: page.commit.p50Ms,
      commitP99Ms: page.commit.p99Ms,
      readsPerS,
      loopP99Ms: page.loopDelayP99Ms,
    }
  }
  const was = before?.rows.find((row) => row.server.id === server.id && row.server.isReachable)?.server
  const seconds = before === null ? 0 : (at - before.at) / 1000
  const appendsPerS =
    server.isReachable && was !== undefined && seconds > 0 ? Math.max(0, (server.position - was.position) / seconds) : null
  return { server, appendsPerS, batch: null, commitP50Ms: null, commitP99Ms: null, readsPerS: null, loopP99Ms: null }
}

export type TopNews = { frame: TopFrame } | { trouble: string }

/** Pictures of a store until the signal is aborted. Also that it cannot be reached is news, unless it never was: then it rejects. */
export async function* followStore(options: ChannelOptions, everyMs: number, signal: AbortSignal): AsyncGenerator<TopNews> {
  const { lookAtStore } = await import('./look.ts')
  // A server that is not reached any more is one that nobody may name any more: who was there once stays asked.
  const known = new Set(options.endpoints)
  let last: TopFrame | null = null
  while (!signal.aborted) {
    let news: TopNews
    try {
      const store = await lookAtStore({ ...options, endpoints: [...known] })
      for (const { endpoint, isReachable } of store.servers) if (isReachable) known.add(endpoint)
      last = topFrameOf(store, Date.now(), last)
      news = { frame: last }
    } catch (error) {
      if (last === null) throw error
      news = { trouble: (error as Error).message }
    }
    yield news
    try {
      await pause(everyMs, signal)
    } catch {
      return // interrupted
    }
  }
}
