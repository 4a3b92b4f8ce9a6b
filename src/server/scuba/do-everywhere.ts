import type { ActionDef } from '../../core/contracts/operation.ts'
import { isRefusal, refuse } from '../../core/kernel/errors.ts'
import { isMirrored } from '../../core/scuba/names.ts'
import { addUp } from '../../core/scuba/shards/add-up.ts'
import type { DoOptions, ScubaClient } from './client.ts'
import type { PeerLeaves } from './peer-leaves.ts'

type Output = Readonly<Record<string, unknown>>

/** Every leaf that the log knows. */
export interface AllLeaves {
  client: Pick<ScubaClient, 'do'>
  /** name of this server's own; null: not known yet */
  own: () => string | null
  peers: PeerLeaves
}

/** How the answers of several leaves become one. */
export interface Together {
  /** default {@link addUp} */
  add?: ((outputs: readonly never[]) => Output) | undefined
  /** list of things that are a leaf's: each says of which */
  listed?: string | undefined
}

/**
 * Has every leaf carry out an operation on its own rows, this server's last; a leaf without the table has nothing to do. Of one that only looks,
 * `missing` says which leaves gave no answer.
 * @throws SCUBA_DOWN, naming the leaf, when one that changes something cannot be told: done again, it does what is left
 */
export async function doEverywhere(
  { client, own, peers }: AllLeaves,
  operation: ActionDef,
  input: unknown,
  how: DoOptions,
  { add = addUp, listed }: Together = {},
): Promise<Output> {
  const outputs: Output[] = []
  const missing: string[] = []
  let unknown: unknown = null
  const note = (error: unknown): void => {
    if (!isRefusal(error) || error.code !== 'SCUBA_TABLE_UNKNOWN') throw error
    unknown = error
  }
  const named = (output: Output, leaf: string): Output =>
    listed === undefined ? output : { ...output, [listed]: (output[listed] as object[]).map((each) => ({ ...each, leaf })) }
  // Of what each server has all of, one list is enough.
  const isOneEnough = !operation.isMutation && isMirrored(String((input as { table?: unknown } | null)?.table))
  for (const { peer, answer } of isOneEnough ? [] : await peers.doAll(operation, input, how)) {
    if (!(answer instanceof Error)) outputs.push(named(answer, peer.id))
    else if (isRefusal(answer) && answer.code !== 'SCUBA_DOWN') note(answer)
    else if (operation.isMutation) throw refuse('SCUBA_DOWN', `leaf ${peer.id} ${answer.message}`, { cause: answer })
    else missing.push(`leaf ${peer.id}: ${answer.message}`)
  }
  try {
    outputs.unshift(named((await client.do(operation, input as never, how)) as Output, own() ?? ''))
  } catch (error) {
    note(error)
  }
  if (outputs.length === 0) throw unknown as Error
  const sum = add(outputs as never[])
  return operation.isMutation ? sum : { ...sum, missing }
}
