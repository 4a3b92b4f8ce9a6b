import { MusterError } from '../core/kernel/errors.ts'
import type { Answer } from './client.ts'
import { remote, type OperationRef } from './reference.ts'

const operation = remote('deploy.status', async () => (await import('../core/deploy/operations.ts')).deployStatus)

type Call = <In, Out>(ref: OperationRef<In, Out>, input: In) => Promise<Answer<Out>>

/**
 * The rollout that is meant where none was named: the only one in flight, of which `say` tells people before it changes; for a
 * command that reads (`say` is null) also the only one there is. Rejects with DEPLOY_ROLLOUT_UNKNOWN naming the choices: with two in flight nobody guesses.
 */
export async function theRollout(call: Call, say: ((text: string) => void) | null): Promise<string> {
  const { rollouts } = (await call(operation, {})).data
  const flying = rollouts.filter((row) => row.endedAtMs === null)
  const choices = flying.length === 0 && say === null ? rollouts : flying
  const [only, ...others] = choices
  if (only !== undefined && others.length === 0) {
    say?.(`${only.rollout} of ${only.service} is the rollout in flight`)
    return only.rollout
  }
  const names = choices.map((row) => `${row.rollout} (${row.service})`).join(', ')
  throw new MusterError(
    'DEPLOY_ROLLOUT_UNKNOWN',
    only === undefined ? 'No rollout is in flight.' : `${choices.length} rollouts could be meant: name one of ${names}.`,
  )
}
