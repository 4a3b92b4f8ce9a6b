import { Args, ChangeCommand, defined, Flags, remote, type OutputOf, type Parsed } from '../../../cli/command.ts'

const operation = remote('delos.config.judge', async () => (await import('../../../core/delos/operations.ts')).configJudge)

export default class ConfigJudge extends ChangeCommand<typeof operation> {
  static override operation = operation
  static override summary = 'Say whether a version on trial is good: it becomes active, or is rolled back.'
  static override args = {
    config: Args.string({ required: true, description: 'its name' }),
    version: Args.integer({ required: true, description: 'the version on trial', min: 1 }),
    verdict: Args.string({ required: true, options: ['pass', 'fail'], description: 'what was found' }),
  }
  static override flags = { reason: Flags.string({ description: 'what it was judged by', helpValue: 'TEXT' }) }
  static override examples = [
    '<%= config.bin %> delos config judge web/limits 4 pass',
    '<%= config.bin %> delos config judge web/limits 4 fail --reason "error rate doubled"',
  ]

  input({ args, flags }: Parsed<typeof ConfigJudge>) {
    return defined({
      name: args.config,
      version: args.version,
      verdict: args.verdict === 'pass' ? 'pass' : 'fail',
      reason: flags.reason,
    } as const)
  }

  render(data: OutputOf<typeof operation>): string {
    return data.verdict === 'pass'
      ? `${data.name} ${data.version} is active`
      : `${data.name} ${data.version} is rolled back; ${data.active} is active`
  }
}
