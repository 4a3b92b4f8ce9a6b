import { MusterError } from '../core/kernel/errors.ts'
import { KV_ERRORS } from '../core/delos/kv/errors.ts'
import type { KeyRange } from '../core/delos/recipes/etcd/request.ts'
import type { Event, WatchRequest, WatchResponse } from '../core/delos/wire/messages.ts'
import { METHODS } from '../core/delos/wire/methods.ts'
import type { Channel } from './channel.ts'
import { pause } from './pause.ts'
import { NoAnswer } from './post.ts'
import { refusal } from './refusal.ts'

export interface WatchOptions {
  /** first revision to tell of; without it what comes after the watch began */
  from?: number
  /** tell what was before, too */
  hasPrevKv?: boolean
  /** kinds to leave out, see WATCH_FILTER */
  filters?: readonly number[]
}

/** All events of one or more whole revisions, in order. */
export interface Changes {
  /** the last of them */
  revision: number
  events: Event[]
}

const RETRY_MS = 200

/**
 * Changes of a range, over lost connections, restarts and other servers: each once, in order, until the signal is aborted, when it ends
 * quietly. Rejects with DELOS_REVISION when what is next to tell was compacted, with the store's refusal, and with UNAVAILABLE when no
 * server ever answered.
 */
export async function* watch(channel: Channel, range: KeyRange, options: WatchOptions, signal: AbortSignal): AsyncGenerator<Changes> {
  // A server sends whole revisions (etcd API guarantees, "Atomic"), so the next one to ask for is all there is to remember.
  let next = options.from ?? 0
  for (;;) {
    try {
      for await (const response of channel.stream(METHODS['Watch/Watch'], requestOf(range, next, options), signal)) {
        if (response.canceled) throw cancelled(response)
        const { revision } = response.header
        if (response.created) {
          if (next === 0) next = revision + 1
          continue
        }
        const from = next
        const events = response.events.filter(({ kv }) => kv.mod_revision >= from)
        const last = response.events.at(-1)
        // Without events it says how far there are none.
        next = Math.max(next, (last === undefined ? revision : last.kv.mod_revision) + 1)
        if (events.length > 0) yield { revision: next - 1, events }
      }
    } catch (error) {
      if (signal.aborted) return
      if (!(error instanceof NoAnswer)) throw error
      if (!channel.hasAnswered())
        throw new MusterError('UNAVAILABLE', `no server of the store answers: ${error.message}`, {
          hint: 'Check --endpoints, and that it runs.',
          cause: error,
        })
    }
    await pause(RETRY_MS, signal).catch(() => undefined)
    if (signal.aborted) return
  }
}

function requestOf(range: KeyRange, from: number, { hasPrevKv, filters }: WatchOptions): WatchRequest {
  const create = { start_revision: from, progress_notify: true, filters: [...(filters ?? [])], prev_kv: hasPrevKv === true }
  return { create_request: { ...range, ...create, watch_id: 0, fragment: false }, cancel_request: null, progress_request: null }
}

function cancelled({ compact_revision: compacted, cancel_reason: reason }: WatchResponse): MusterError {
  if (compacted > 0) {
    const { code, message, details } = refusal({ ...KV_ERRORS.compacted, text: `${KV_ERRORS.compacted.text} (${compacted})` })
    return new MusterError(code, message, { details: { ...(details as object), compacted } })
  }
  return refusal({ code: reason.includes('permission denied') ? 7 : 2, text: reason || 'the watch was ended' })
}
