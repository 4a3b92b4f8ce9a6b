import { textOf } from '../../platform/streams.ts'
import type { Logger } from '../../platform/logger.ts'
import type { ScubaClient, Spooled } from '../scuba/client.ts'
import type { LeaderLink } from './leader-link.ts'
import { CALLER_HEADER } from './pass-on.ts'

export interface TellLeaderOptions {
  /** this server's own */
  leaf: Pick<ScubaClient, 'spooled' | 'spoolOff'>
  link: LeaderLink
  /** that this server leads: whoever asks looks into its own leaf */
  leads: () => boolean
  /** that there are others, one of whom may lead */
  hasOthers: () => boolean
  /** Rows that the leader's leaf never gets: the spool was full, or it refused them. */
  onLost: (rows: number) => void
  log: Logger
}

const LOOK_MS = 250
const WAIT_MS = 1000
const RETRY_MS = 500
/** A leader that takes no batch for so long is asked again, or another one is. */
const STUCK_MS = 10_000

type Batch = NonNullable<Spooled['batch']>

/**
 * Tells the leader's leaf what this machine's agents, proxies and server told their own, as long as another server leads: batch by
 * batch, each under its key, so that one whose answer was lost is added once. While nobody leads they wait in the leaf's spool.
 */
export function tellLeader({ leaf, link, leads, hasOthers, onLost, log }: TellLeaderOptions): { stop: () => Promise<void> } {
  const abort = new AbortController()
  let place = ''
  let dropped = 0
  /** at the start too, for the leaf is older than this server */
  let isOn = true
  let trouble = ''

  const note = (reason: string): void => {
    // Each line is telemetry itself, so a trouble is told once and not at each try.
    if (reason === trouble) return
    if (reason !== '') log.warn('the leader is not told of this machine', { reason })
    else log.info('the leader is told of this machine again', {})
    trouble = reason
  }
  const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

  const step = async (): Promise<void> => {
    if (leads() || !hasOthers()) {
      // A leaf that does not answer now is asked again.
      if (isOn)
        isOn = !(await leaf.spoolOff().then(
          () => true,
          () => false,
        ))
      return pause(LOOK_MS)
    }
    isOn = true
    const { batch, droppedRows } = await leaf.spooled(place, WAIT_MS, abort.signal)
    // A leaf that was started anew counts from nothing.
    if (droppedRows > dropped) onLost(droppedRows - dropped)
    dropped = droppedRows
    if (batch === null) return
    const leader = await link.find(WAIT_MS)
    if (leader === null || leader === link.self) return pause(LOOK_MS)
    const outcome = await send(link, leader, batch)
    if (outcome === 'later') return pause(RETRY_MS)
    place = batch.place
    if (outcome !== 'taken') {
      onLost(batch.rows)
      log.warn('the leader refused rows of this machine', { table: batch.table, rows: batch.rows, reason: outcome.refused })
    }
  }

  const run = async (): Promise<void> => {
    while (!abort.signal.aborted) {
      try {
        await step()
        note('')
      } catch (error) {
        if (abort.signal.aborted) return
        note((error as Error).message)
        await pause(RETRY_MS)
      }
    }
  }
  const running = run()
  return {
    stop: async () => {
      abort.abort()
      await running
    },
  }
}

/** `refused`: it will never take this batch, so that it must not stand in the way of the next. */
function send(link: LeaderLink, leader: bigint, { table, key, ack, body }: Batch): Promise<'taken' | 'later' | { refused: string }> {
  return new Promise((resolve) => {
    const headers = {
      'content-type': 'application/x-ndjson',
      'content-length': body.length,
      'idempotency-key': key,
      [CALLER_HEADER]: 'operator server',
    }
    const path = `/v1/scuba/tables/${encodeURIComponent(table)}/rows?ack=${ack}`
    const sending = link.request(leader, { method: 'POST', path, headers, timeout: STUCK_MS }, (answer) => {
      const status = answer.statusCode ?? 0
      textOf(answer).then(
        (text) =>
          resolve(status < 300 ? 'taken' : status >= 400 && status < 500 && status !== 429 ? { refused: text.slice(0, 300) } : 'later'),
        () => resolve('later'),
      )
    })
    sending.once('timeout', () => sending.destroy())
    sending.once('error', () => resolve('later'))
    sending.end(body)
  })
}
