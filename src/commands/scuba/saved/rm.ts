import { Args, ChangeCommand, remote, type InputOf, type OutputOf, type Parsed } from '../../../cli/command.ts'

const operation = remote('scuba.saved.rm', async () => (await import('../../../core/scuba/saved/operations.ts')).scubaSavedRm)

export default class ScubaSavedRm extends ChangeCommand<typeof operation> {
  static override operation = operation
  static override summary = 'Remove a saved query.'
  static override args = { name: Args.string({ description: 'the saved query', required: true }) }
  static override examples = ['<%= config.bin %> scuba saved rm requests --yes']

  input({ args }: Parsed<typeof ScubaSavedRm>): InputOf<typeof operation> {
    return { name: args.name }
  }

  render({ name }: OutputOf<typeof operation>): string {
    return `The saved query ${name} is removed.`
  }
}
