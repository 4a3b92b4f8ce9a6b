import { METHODS } from '../../../core/delos/wire/methods.ts'
import type { EtcdService, RpcError, Sink, Streaming, Unary } from '../../../core/delos/wire/service.ts'

export interface GuardedService {
  guard(service: Partial<EtcdService>): Partial<EtcdService>
  /** Ends what is open. */
  endStreams(error: RpcError): void
}

/** Told about the server itself, these are answered whatever is wrong with its keys. */
const ALWAYS = /^(Maintenance|Cluster)\//

/** @param refusal why nothing is answered now; null: everything is */
export function guardService(refusal: () => RpcError | null): GuardedService {
  const open = new Set<Sink<unknown>>()

  const unary =
    (handler: Unary<unknown, unknown>): Unary<unknown, unknown> =>
    (request, raw, call, reply) => {
      const refused = refusal()
      if (refused !== null) return reply(refused, null)
      // What was asked before is answered no more either, once the rows are known to be wrong.
      handler(request, raw, call, (error, response) => {
        const late = refusal()
        if (late === null) reply(error, response)
        else reply(late, null)
      })
    }

  const streaming =
    (handler: Streaming<unknown, unknown>): Streaming<unknown, unknown> =>
    (call, sink) => {
      const refused = refusal()
      if (refused !== null) {
        sink.end(refused)
        return { message: () => undefined, halfClosed: () => undefined, cancelled: () => undefined }
      }
      open.add(sink)
      const source = handler(call, {
        messageBytes: sink.messageBytes,
        send: (response) => sink.send(response),
        sendEncoded: (message) => sink.sendEncoded(message),
        onReady: (listener) => sink.onReady(listener),
        end: (error) => {
          if (open.delete(sink)) sink.end(error)
        },
      })
      return {
        message: (request) => {
          if (open.has(sink)) source.message(request)
        },
        halfClosed: () => source.halfClosed(),
        cancelled: () => {
          open.delete(sink)
          source.cancelled()
        },
      }
    }

  return {
    guard: (service) => {
      const guarded: Record<string, unknown> = { ...service }
      for (const [name, handler] of Object.entries(service)) {
        if (ALWAYS.test(name)) continue
        const { kind } = METHODS[name as keyof EtcdService]
        guarded[name] = kind === 'unary' ? unary(handler as Unary<unknown, unknown>) : streaming(handler as Streaming<unknown, unknown>)
      }
      return guarded
    },
    endStreams: (error) => {
      const sinks = [...open]
      open.clear()
      for (const sink of sinks) sink.end(error)
    },
  }
}
