import { QueryCommand, remote, type InputOf, type OutputOf, type View } from '../../cli/command.ts'
import { table } from '../../cli/render/table.ts'
import { formatDuration, formatShare } from '../../core/kernel/units.ts'

const operation = remote('deploy.profiles', async () => (await import('../../core/deploy/operations.ts')).deployProfiles)

export default class DeployProfiles extends QueryCommand<typeof operation> {
  static override operation = operation
  static override summary = 'List the rollout profiles: their steps, least times and gates.'
  static override examples = ['<%= config.bin %> deploy profiles']

  input(): InputOf<typeof operation> {
    return {}
  }

  render(data: OutputOf<typeof operation>, view: View): string {
    return table(view, data.profiles, [
      { title: 'profile', cell: (row) => row.name },
      {
        title: 'steps',
        cell: (row) => row.steps.map((step) => `${formatShare(step.sharePpm)} ${formatDuration(step.minimumMs)}`).join(' · '),
      },
      { title: 'gates', cell: (row) => row.steps.map((step) => step.gateRatio ?? '–').join(' · ') },
      { title: 'about', cell: (row) => row.description, canShrink: true },
    ])
  }
}
