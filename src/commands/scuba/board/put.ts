import { Args, ChangeCommand, remote, type InputOf, type OutputOf, type Parsed } from '../../../cli/command.ts'

const operation = remote('scuba.board.put', async () => (await import('../../../core/scuba/saved/operations.ts')).scubaBoardPut)

export default class ScubaBoardPut extends ChangeCommand<typeof operation> {
  static override operation = operation
  static override summary = 'Put the boards of a YAML file, new or instead of those of the same name.'
  static override description = 'The file holds one board, a list of them, or several documents. Starters are in templates/boards/.'
  static override args = { file: Args.string({ description: 'the file, or - for standard input', required: true }) }
  static override examples = ['<%= config.bin %> scuba board put templates/boards/requests.yaml']

  async input({ args }: Parsed<typeof ScubaBoardPut>): Promise<InputOf<typeof operation>> {
    const { loadBoardFile } = await import('../../../cli/files/saved-file.ts')
    return { boards: loadBoardFile(args.file) }
  }

  render({ names }: OutputOf<typeof operation>): string {
    return names.map((name) => `Board ${name} is there: muster scuba open board ${name}`).join('\n')
  }
}
