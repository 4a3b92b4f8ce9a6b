import { carryOut } from '../../core/delos/programs/carry-out.ts'
import { storeOperations } from '../../core/delos/programs/index.ts'
import { isRefusal, MusterError } from '../../core/kernel/errors.ts'
import type { Answer, CallOptions } from '../client.ts'
import { storeOf, type StoreFlags } from '../flags/store.ts'
import { inputError } from '../input-error.ts'
import type { AnyOperation } from '../reference.ts'

/** An operation of `delos.kv`, `.lease` or `.lock` on any store with etcd's v3 API, as the control plane does it on its own. */
export async function callStore<Out>(
  flags: StoreFlags,
  operation: AnyOperation,
  input: unknown,
  options: CallOptions,
): Promise<Answer<Out>> {
  const parsed = operation.input.safeParse(input)
  if (!parsed.success) throw inputError(parsed.error)
  const client = await storeOf(flags)
  try {
    if (operation.name === 'delos.kv.history') {
      const { historyAt } = await import('./history.ts')
      return answer((await historyAt(client, parsed.data as never)) as Out)
    }
    const asked = storeOperations.get(operation.name)
    if (asked === undefined) throw new MusterError('USAGE', `${operation.name} is nothing that a store can be asked`)
    const wish = { isPlan: options.plan === true, apply: options.apply }
    const done = await client.ask(carryOut(asked, parsed.data as never, wish), options.signal)
    if (isRefusal(done)) throw done
    const given = answer(done.value as Out)
    if (done.plan !== null) given.plan = done.plan
    return given
  } finally {
    client.close()
  }
}

function answer<Out>(data: Out): Answer<Out> {
  return { data, warnings: [], position: 0 }
}
