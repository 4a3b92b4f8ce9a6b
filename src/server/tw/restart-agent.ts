import type { Effect } from '../../core/contracts/controller.ts'
import type { Proposal } from '../../core/contracts/entry.ts'
import { agentsUpgraded } from '../../core/tw/queries.ts'
import { textOf } from '../../platform/streams.ts'
import type { ServerHost } from '../host.ts'
import { askAgent } from './ask-agent.ts'

interface Wish {
  upgrade: number
  wave: number
  node: string
  folder: string | null
  isBack: boolean
}

/** Tells an agent to start anew from another installation, or to go back. One that is told twice does it once. */
export async function restartAgent(host: ServerHost, { body }: Effect): Promise<Proposal[]> {
  const { upgrade, wave, node, folder, isBack } = body as Wish
  const query = new URLSearchParams({ upgrade: String(upgrade), ...(folder === null ? {} : { folder }), ...(isBack ? { back: '1' } : {}) })
  await textOf(await askAgent(host, node, `/upgrade?${query}`, 'POST'))
  return [agentsUpgraded.of({ upgrade, wave, nodes: [node], state: isBack ? 'returned' : 'told' })]
}
