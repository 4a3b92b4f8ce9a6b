import { Args, ChangeCommand, remote, type InputOf, type OutputOf, type Parsed } from '../../../cli/command.ts'

const operation = remote('scuba.board.rm', async () => (await import('../../../core/scuba/saved/operations.ts')).scubaBoardRm)

export default class ScubaBoardRm extends ChangeCommand<typeof operation> {
  static override operation = operation
  static override summary = 'Remove a board.'
  static override args = { name: Args.string({ description: 'the board', required: true }) }
  static override examples = ['<%= config.bin %> scuba board rm requests --yes']

  input({ args }: Parsed<typeof ScubaBoardRm>): InputOf<typeof operation> {
    return { name: args.name }
  }

  render({ name }: OutputOf<typeof operation>): string {
    return `The board ${name} is removed.`
  }
}
