import type { RpcError } from '../../../../../src/core/delos/wire/service.ts'
import type { Event, WatchCreateRequest, WatchResponse } from '../../../../../src/core/delos/wire/messages.ts'
import type { WatchSink } from '../../../../../src/core/delos/kv/watch/hub.ts'

export const createOf = (key: string, more: Partial<WatchCreateRequest> = {}): WatchCreateRequest => ({
  key,
  range_end: '',
  start_revision: 0,
  progress_notify: false,
  filters: [],
  prev_kv: false,
  watch_id: 0,
  fragment: false,
  ...more,
})

/** A reader that can be slow: it accepts what it is sent, and then says not to send more. */
export class Reader implements WatchSink {
  readonly responses: WatchResponse[] = []
  isSlow = false
  /** why the stream was ended from this side */
  ended: RpcError | null = null
  #listener: () => void = () => undefined

  send(response: WatchResponse): boolean {
    this.responses.push(response)
    return !this.isSlow
  }

  onReady(listener: () => void): void {
    this.#listener = listener
  }

  end(error?: RpcError): void {
    this.ended = error ?? null
  }

  becomeReady(): void {
    this.isSlow = false
    this.#listener()
  }

  events(watchId: number): Event[] {
    return this.responses.filter((response) => response.watch_id === watchId).flatMap((response) => response.events)
  }

  /** `PUT a@5` for each event, in the order they came */
  story(watchId = 0): string[] {
    return this.events(watchId).map(tell)
  }
}

export const tell = ({ type, kv }: Event): string => `${type === 0 ? 'PUT' : 'DELETE'} ${kv.key}@${kv.mod_revision}`
