import { ChangeCommand, Flags, remote, type InputOf, type OutputOf, type Parsed } from '../../../cli/command.ts'
import { durationFlag } from '../../../cli/flags/time.ts'
import { count } from '../../../cli/render/text.ts'
import { renderUpgrade, type UpgradeView } from '../../../cli/render/tw-upgrade.ts'
import { MusterError } from '../../../core/kernel/errors.ts'

const operation = remote('tw.upgrade.agents', async () => (await import('../../../core/tw/operations.ts')).agentUpgrade)

export default class TwUpgradeAgents extends ChangeCommand<typeof operation> {
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
    wait: Flags.boolean({ description: 'wait until it is done or stopped; exit 1 when it is stopped' }),
    timeout: Flags.string({ description: 'how long --wait waits', default: '30m' }),
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

  override async run(): Promise<void> {
    const parsed = await this.start(TwUpgradeAgents)
    const { flags } = parsed
    const timeoutMs = durationFlag('timeout', flags.timeout ?? '30m')
    const done = await this.change(operation, this.input(parsed), flags as never)
    if (done === null) return
    if (!flags.wait) return this.answer(operation.name, done.data, (data) => this.render(data), done.warnings)
    const { waitUntil } = await import('../../../cli/follow/tasks.ts')
    const signal = this.interrupted()
    const ask = () => this.client.call<UpgradeView>('tw.upgrade.show', {})
    const end = await waitUntil(this.client, ask, (data) => data.state !== 'running', { timeoutMs, signal })
    if (signal.aborted) return
    if (!end.isDone)
      throw new MusterError('WAIT_OVER', `upgrade ${done.data.upgrade} still goes on`, { hint: 'Look with `muster tw upgrade show`.' })
    await this.answer('tw.upgrade.show', end.data, (data, view) => renderUpgrade(view, data))
    if (end.data.state === 'stopped') process.exitCode = 1
  }
}
