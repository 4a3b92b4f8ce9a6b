import { Args, ChangeCommand, remote, type InputOf, type OutputOf, type Parsed } from '../../../cli/command.ts'

const operation = remote('scuba.slo.put', async () => (await import('../../../core/scuba/operations/slo.ts')).scubaSloPut)

export default class ScubaSloPut extends ChangeCommand<typeof operation> {
  static override operation = operation
  static override summary = 'Put the service objectives of a YAML file, new or instead of those of the same service.'
  static override description =
    'The file holds the objectives of one service, a list of such, or several documents. Starters are in templates/slos/.'
  static override args = { file: Args.string({ description: 'the file, or - for standard input', required: true }) }
  static override examples = [
    '<%= config.bin %> scuba slo put templates/slos/starter.yaml',
    '<%= config.bin %> scuba slo put feed.yaml --plan',
  ]

  async input({ args }: Parsed<typeof ScubaSloPut>): Promise<InputOf<typeof operation>> {
    const { loadSloFile } = await import('../../../cli/files/slo-file.ts')
    const { clampNotes } = await import('../../../core/scuba/slo/objective.ts')
    const { sloFileSchema } = await import('../../../core/scuba/slo/file.ts')
    const files = loadSloFile(args.file)
    for (const line of files.flatMap((file) => clampNotes(sloFileSchema.parse(file)))) this.note(line)
    return { files }
  }

  render({ services }: OutputOf<typeof operation>): string {
    return services.map((service) => `The objectives of ${service} are in force.`).join('\n')
  }
}
