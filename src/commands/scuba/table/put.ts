import { Flags, ChangeCommand, remote, type InputOf, type OutputOf, type Parsed, type View } from '../../../cli/command.ts'
import { MusterError } from '../../../core/kernel/errors.ts'
import { renderDeclared } from '../../../cli/render/scuba-tables.ts'

const operation = remote('scuba.table.put', async () => (await import('../../../core/scuba/operations/tables.ts')).scubaTablePut)

export default class ScubaTablePut extends ChangeCommand<typeof operation> {
  static override operation = operation
  static override summary = 'Declare a table from a YAML file: its columns, their types and rules.'
  static override description =
    'Says whether the declaration is compatible, widening or breaking; a breaking one wants --new-version. A starter is in templates/tables/.'
  static override flags = {
    file: Flags.string({ char: 'f', description: 'the file, or - for standard input', required: true, helpValue: 'FILE' }),
    'new-version': Flags.boolean({ description: 'also when it breaks what is there' }),
  }
  static override examples = [
    '<%= config.bin %> scuba table put -f templates/tables/requests.yaml --plan',
    '<%= config.bin %> scuba table put -f templates/tables/requests.yaml',
  ]

  async input({ flags }: Parsed<typeof ScubaTablePut>): Promise<InputOf<typeof operation>> {
    const { loadTableFile } = await import('../../../cli/files/table-file.ts')
    const [declaration, ...others] = loadTableFile(flags.file)
    if (declaration === undefined || others.length > 0)
      throw new MusterError('USAGE', `${flags.file} declares ${others.length + 1} tables; put one at a time`)
    return { declaration, newVersion: flags['new-version'] }
  }

  render(data: OutputOf<typeof operation>, view: View): string {
    return renderDeclared(data, view)
  }
}
