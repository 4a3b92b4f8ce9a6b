import { ChangeCommand, Flags, remote, type InputOf, type OutputOf, type Parsed } from '../../../cli/command.ts'

const operation = remote('tw.upgrade.stop', async () => (await import('../../../core/tw/operations.ts')).agentUpgradeStop)

export default class TwUpgradeStop extends ChangeCommand<typeof operation> {
  static override operation = operation
  static override summary = 'Stop the upgrade of the agents: those of the wave that goes on are taken back.'
  static override flags = { reason: Flags.string({ description: 'why, for the log', default: '' }) }
  static override examples = ['<%= config.bin %> tw upgrade stop --yes --reason "tasks are slow"']

  input({ flags }: Parsed<typeof TwUpgradeStop>): InputOf<typeof operation> {
    return { reason: flags.reason ?? '' }
  }

  render(data: OutputOf<typeof operation>): string {
    return data.upgrade === null ? 'no upgrade goes on' : `upgrade ${data.upgrade} is stopped`
  }
}
