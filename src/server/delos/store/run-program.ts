import type { Asked, Program } from '../../../core/delos/programs/program.ts'
import { METHODS } from '../../../core/delos/wire/methods.ts'
import type { Codec } from '../../../core/kernel/protobuf/codec.ts'
import { encode } from '../../../core/kernel/protobuf/encode.ts'
import { refusal } from '../../../core/delos/wire/refusal.ts'
import type { Call, EtcdService, RpcError, Streaming, Unary } from '../../../core/delos/wire/service.ts'

const UNAVAILABLE: RpcError = { code: 14, text: 'etcdserver: server stopped' }

/** Runs a program on the store of this process; a refusal of the store ends it, unless it catches that. */
export async function runProgram<Out>(service: Partial<EtcdService>, program: Program<Out>, call: Call): Promise<Out> {
  let step = program.next()
  while (step.done !== true) {
    try {
      step = program.next(await answerOf(service, step.value, call))
    } catch (error) {
      step = program.throw(error)
    }
  }
  return step.value
}

function answerOf(service: Partial<EtcdService>, { method, request }: Asked, call: Call): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const codec = METHODS[method].request as Codec<unknown>
    const reply = (error: RpcError | null, response: unknown): void => {
      if (error === null) resolve(response)
      else reject(refusal(error))
    }
    if (METHODS[method].kind === 'unary') {
      const handler = service[method] as Unary<unknown, unknown> | undefined
      if (handler === undefined) reply(UNAVAILABLE, null)
      else handler(request, encode(codec, request), call, reply)
      return
    }
    const handler = service[method] as Streaming<unknown, unknown> | undefined
    if (handler === undefined) return reply(UNAVAILABLE, null)
    // Of a stream, its first answer.
    const source = handler(call, {
      messageBytes: 1_048_576,
      send: (response) => {
        resolve(response)
        return true
      },
      sendEncoded: () => true,
      onReady: () => undefined,
      end: (error) => reply(error ?? UNAVAILABLE, null),
    })
    source.message(request)
    source.halfClosed()
  })
}
