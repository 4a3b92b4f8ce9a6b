import type { Effect } from '../../core/contracts/controller.ts'
import type { Proposal } from '../../core/contracts/entry.ts'
import { maintenanceStepped, type MaintainBody } from '../../core/tw/queries.ts'
import { textOf } from '../../platform/streams.ts'
import type { ServerHost } from '../host.ts'
import { askAgent } from './ask-agent.ts'

/** Runs the command of a maintenance on its node. The agent runs it once, however often it is asked. */
export function createMaintainAdapter(host: ServerHost): (effect: Effect) => Promise<Proposal[]> {
  return async ({ body }) => {
    const { maintenance, node, command, timeoutMs } = body as MaintainBody
    const asked = JSON.stringify({ command, timeoutMs })
    const answer = await textOf(await askAgent(host, node, `/run/maintenance-${maintenance}`, 'POST', asked))
    const { exitCode, output } = JSON.parse(answer) as { exitCode: number; output: string }
    const isOk = exitCode === 0
    const why = isOk ? '' : `its command ended with ${exitCode}`
    return [maintenanceStepped.of({ maintenance, node, state: isOk ? 'verifying' : 'aborted', why, exitCode, output })]
  }
}
