import type { ActionDef } from '../../core/contracts/operation.ts'
import { isRefusal, refuse } from '../../core/kernel/errors.ts'
import { addUp } from '../../core/scuba/shards/add-up.ts'
import type { DoOptions, ScubaClient } from './client.ts'
import type { PeerLeaves } from './peer-leaves.ts'

type Output = Readonly<Record<string, unknown>>

/**
 * Has every leaf carry out an operation on its own rows, this server's last; a leaf without the table has nothing to do.
 * @throws SCUBA_DOWN, naming the leaf, when one that changes something cannot be told: done again, it does what is left
 */
export async function doEverywhere(
  client: Pick<ScubaClient, 'do'>,
  peers: PeerLeaves,
  operation: ActionDef,
  input: unknown,
  how: DoOptions,
): Promise<unknown> {
  const outputs: Output[] = []
  let unknown: unknown = null
  const note = (error: unknown): void => {
    if (!isRefusal(error) || error.code !== 'SCUBA_TABLE_UNKNOWN') throw error
    unknown = error
  }
  for (const { peer, answer } of await peers.doAll(operation, input, how)) {
    if (!(answer instanceof Error)) outputs.push(answer)
    else if (isRefusal(answer) && answer.code !== 'SCUBA_DOWN') note(answer)
    else if (operation.isMutation) throw refuse('SCUBA_DOWN', `leaf ${peer.id} ${answer.message}`, { cause: answer })
  }
  try {
    outputs.unshift((await client.do(operation, input as never, how)) as Output)
  } catch (error) {
    note(error)
  }
  if (outputs.length === 0) throw unknown as Error
  return addUp(outputs)
}
