import { Args, ChangeCommand, remote, type InputOf, type OutputOf, type Parsed } from '../../../cli/command.ts'

const operation = remote('scuba.slo.rm', async () => (await import('../../../core/scuba/operations/slo.ts')).scubaSloRm)

export default class ScubaSloRm extends ChangeCommand<typeof operation> {
  static override operation = operation
  static override summary = 'Remove the objectives of a service.'
  static override args = { service: Args.string({ description: 'the service', required: true }) }
  static override examples = ['<%= config.bin %> scuba slo rm news-feed --yes']

  input({ args }: Parsed<typeof ScubaSloRm>): InputOf<typeof operation> {
    return { service: args.service }
  }

  render({ service }: OutputOf<typeof operation>): string {
    return `The objectives of ${service} are removed.`
  }
}
