import { Flags, remote, type InputOf, type OutputOf, type Parsed } from '../../../cli/command.ts'
import { count } from '../../../cli/render/text.ts'
import { renderUpgrade, type UpgradeView } from '../../../cli/render/tw-upgrade.ts'
import { WaitingCommand, type Waiting } from '../../../cli/waiting-command.ts'

const operation = remote('tw.upgrade.agents', async () => (await import('../../../core/tw/operations.ts')).agentUpgrade)

export default class TwUpgradeAgents extends WaitingCommand<typeof operation, UpgradeView> {
  static override operation = operation
  static override summary = 'Start the agents anew from another installation, wave by wave; their tasks run on.'
  static override description =
    'A wave passes when each of its agents is back within 30 s with the same processes. Otherwise its agents go back to where they came from, and no further wave begins. ' +
    'An agent that does not come up goes back by itself after two tries.'
  static override flags = {
    from: Flags.string({
      description: 'folder of the package on every node; without it the agents start anew from where they are',
      helpValue: 'DIR',
    }),
    version: Flags.string({ description: 'version the agents have to say they are of afterwards', helpValue: 'VERSION' }),
    waves: Flags.string({ description: 'how many nodes, or which share of all, after each wave', default: '1,10%,100%' }),
  }
  static override examples = [
    '<%= config.bin %> tw upgrade agents --from /opt/muster-0.2.0 --version 0.2.0 --yes --wait',
    '<%= config.bin %> tw upgrade agents --waves 1,1%,10%,50%,100% --plan',
  ]

  input({ flags }: Parsed<typeof TwUpgradeAgents>): InputOf<typeof operation> {
    return { folder: flags.from ?? null, version: flags.version ?? null, waves: flags.waves ?? '1,10%,100%' }
  }

  render(data: OutputOf<typeof operation>): string {
    return `upgrade ${data.upgrade} of ${count(data.nodes, 'agent')} started, in ${count(data.sizes.length, 'wave')}: ${data.sizes.join(', ')}`
  }

  waiting({ upgrade }: OutputOf<typeof operation>): Waiting<UpgradeView> {
    return {
      ask: { operation: 'tw.upgrade.show', input: {} },
      isOver: (data) => data.state !== 'running',
      isBad: (data) => data.state === 'stopped',
      render: (data, view) => renderUpgrade(view, data),
      late: { message: `upgrade ${upgrade} still goes on`, hint: 'Look with `muster tw upgrade show`.' },
    }
  }
}
