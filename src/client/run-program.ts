import { METHODS } from '../core/delos/wire/methods.ts'
import type { Method } from '../core/delos/wire/methods.ts'
import type { Program } from '../core/delos/programs/program.ts'
import type { Channel } from './channel.ts'

/** Runs a program on the store at the other end; rejects as {@link Channel.call} does, unless the program catches it. */
export async function runProgram<Out>(channel: Channel, program: Program<Out>, signal?: AbortSignal): Promise<Out> {
  let step = program.next()
  while (step.done !== true) {
    const { method, request, effect } = step.value
    try {
      const answer = await channel.call(METHODS[method] as unknown as Method<unknown, unknown>, request, { effect, signal })
      step = program.next(answer)
    } catch (error) {
      step = program.throw(error)
    }
  }
  return step.value
}
