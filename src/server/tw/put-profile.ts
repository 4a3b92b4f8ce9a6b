import type { Effect } from '../../core/contracts/controller.ts'
import type { Proposal } from '../../core/contracts/entry.ts'
import { profileFinished, type PutProfileBody } from '../../core/tw/queries.ts'
import { textOf } from '../../platform/streams.ts'
import type { ServerHost } from '../host.ts'
import { askAgent, isUnknownToAgent } from './ask-agent.ts'

type Answer = Omit<Parameters<typeof profileFinished.of>[0], 'node' | 'switch'>

/** Tells an agent to put its node into a profile. One that is told twice finds nothing left to write. */
export async function putProfile(host: ServerHost, { body }: Effect): Promise<Proposal[]> {
  const { node, ...asked } = body as PutProfileBody
  const { outcome, differs, why } = await answerOf(host, node, asked)
  return [profileFinished.of({ node, switch: asked.switch, outcome, differs, why })]
}

async function answerOf(host: ServerHost, node: string, asked: object): Promise<Answer> {
  try {
    return JSON.parse(await textOf(await askAgent(host, node, '/profile', 'POST', JSON.stringify(asked)))) as Answer
  } catch (error) {
    if (!isUnknownToAgent(error)) throw error
    // Asked again it would say the same.
    const why = `nothing was written: its agent is of a release without profiles (see \`muster tw node show ${node}\`); move it on with \`muster tw upgrade agents\`, uncordon the node and apply again`
    return { outcome: 'failed', differs: {}, why }
  }
}
