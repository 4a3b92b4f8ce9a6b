import { Args, ChangeCommand, defined, Flags, remote, type OutputOf, type Parsed } from '../../../cli/command.ts'

const operation = remote('delos.config.rollback', async () => (await import('../../../core/delos/operations.ts')).configRollback)

export default class ConfigRollback extends ChangeCommand<typeof operation> {
  static override operation = operation
  static override summary = 'End a trial, or give all readers the version before.'
  static override description =
    'It is not asked for a y/N: going back is what is needed at once. The version gone back from stays in the history.'
  static override args = { config: Args.string({ required: true, description: 'its name' }) }
  static override flags = {
    to: Flags.integer({ description: 'this version; without it the one that the active one replaced', helpValue: 'VERSION', min: 1 }),
    reason: Flags.string({ description: 'why, for the timeline', helpValue: 'TEXT' }),
  }
  static override examples = [
    '<%= config.bin %> delos config rollback web/limits',
    '<%= config.bin %> delos config rollback web/limits --to 3 --reason "p99 doubled"',
  ]

  input({ args, flags }: Parsed<typeof ConfigRollback>) {
    return defined({ name: args.config, to: flags.to, reason: flags.reason })
  }

  render(data: OutputOf<typeof operation>): string {
    return `${data.name} ${data.from} is rolled back${data.wasOnTrial ? ' from its trial' : ''}; ${data.to} is active`
  }
}
