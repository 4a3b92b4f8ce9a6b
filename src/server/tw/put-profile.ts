import type { Effect } from '../../core/contracts/controller.ts'
import type { Proposal } from '../../core/contracts/entry.ts'
import { profileFinished, type PutProfileBody } from '../../core/tw/queries.ts'
import { textOf } from '../../platform/streams.ts'
import type { ServerHost } from '../host.ts'
import { askAgent } from './ask-agent.ts'

/** Tells an agent to put its node into a profile. One that is told twice finds nothing left to write. */
export async function putProfile(host: ServerHost, { body }: Effect): Promise<Proposal[]> {
  const { node, ...asked } = body as PutProfileBody
  const answer = await textOf(await askAgent(host, node, '/profile', 'POST', JSON.stringify(asked)))
  const { outcome, differs, why } = JSON.parse(answer) as {
    outcome: 'set' | 'compared' | 'failed'
    differs: Record<string, string>
    why: string
  }
  return [profileFinished.of({ node, switch: asked.switch, outcome, differs, why })]
}
