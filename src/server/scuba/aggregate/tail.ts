import type { IncomingMessage, ServerResponse } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { isMirrored } from '../../../core/scuba/names.ts'
import type { Peer } from '../../../core/scuba/registry.ts'
import { linesOf } from '../../../platform/streams.ts'
import type { Leaf } from '../leaf/http.ts'
import { WRITTEN, gone } from '../leaf/http-body.ts'

/** Bytes that wait for a slow reader. */
const WAITING_MAX = 1024 * 1024
/** So soon a leaf that joined, or is back, is followed. */
const LOOK_MS = 500

/**
 * `GET …/tables/TABLE/tail`: new rows of all leaves as NDJSON, once durable, `time` in ms; with `own=1` of this one. A reader too slow misses rows and is
 * told how many (`{"missed":N}`); a leaf that cannot be followed is told once (`{"missing":"leaf X: why"}`), and followed again when it is back.
 */
export async function tail(leaf: Leaf, _request: IncomingMessage, response: ServerResponse, url: URL, table: string): Promise<unknown> {
  response.writeHead(200, { 'content-type': 'application/x-ndjson', 'cache-control': 'no-store' })
  response.flushHeaders()
  let missed = 0
  const write = (lines: readonly string[]): void => {
    if (response.writableLength > WAITING_MAX) return void (missed += lines.length)
    if (missed > 0) response.write(`${JSON.stringify({ missed })}\n`)
    missed = 0
    response.write(lines.map((line) => `${line}\n`).join(''))
  }
  const end = leaf.store.subscribe(table, (payload) => {
    const lines = Buffer.from(payload)
      .toString('utf8')
      .split('\n')
      .filter((line) => line !== '')
    write(lines.map((line) => JSON.stringify(tailRow(line))))
  })
  response.once('close', end)
  if (url.searchParams.get('own') !== '1' && !isMirrored(table)) void followOthers(leaf, table, write, gone(response))
  return WRITTEN
}

function tailRow(line: string): Record<string, unknown> {
  const row = JSON.parse(line) as Record<string, unknown>
  for (const name of ['time', 'ingest_time', 'time_original']) if (typeof row[name] === 'number') row[name] = row[name] / 1000
  return row
}

/** Until the reader is gone; who the others are may change meanwhile. */
async function followOthers({ peers }: Leaf, table: string, write: (lines: readonly string[]) => void, signal: AbortSignal): Promise<void> {
  const followed = new Map<string, AbortController>()
  const told = new Set<string>()
  const tell = ({ id }: Peer, why: string): void => {
    if (!told.has(id)) write([JSON.stringify({ missing: `leaf ${id}: ${why}` })])
    told.add(id)
  }
  const follow = async (peer: Peer): Promise<void> => {
    const stop = new AbortController()
    followed.set(peer.id, stop)
    try {
      const path = `/v1/scuba/tables/${encodeURIComponent(table)}/tail?own=1`
      const response = await peers.calls.open(peer, 'GET', path, { signal: AbortSignal.any([signal, stop.signal]) })
      if (response.statusCode !== 200) throw new Error(`answers ${response.statusCode}`)
      told.delete(peer.id)
      for await (const line of linesOf(response)) write([line])
      tell(peer, 'has ended its answer')
    } catch (error) {
      if (!signal.aborted) tell(peer, (error as Error).message)
    }
    followed.delete(peer.id)
  }
  while (!signal.aborted) {
    await peers.learn()
    for (const peer of peers.list) {
      const stop = followed.get(peer.id)
      const isSilent = peers.isSilent(peer.id)
      if (!isSilent && stop === undefined) void follow(peer)
      // One that hangs keeps its connection.
      if (isSilent) tell(peer, 'does not answer')
      if (isSilent) stop?.abort()
    }
    await sleep(LOOK_MS, undefined, { signal }).catch(() => undefined)
  }
}
