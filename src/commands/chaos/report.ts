import { Args, QueryCommand, remote, type InputOf, type OutputOf, type Parsed } from '../../cli/command.ts'
import { renderReport } from '../../cli/render/chaos.ts'

const operation = remote('chaos.run.evidence', async () => (await import('../../core/chaos/operations.ts')).runEvidence)

export default class ChaosReport extends QueryCommand<typeof operation> {
  static override operation = operation
  static override summary = 'Write the record of a run as Markdown, every line with its log position.'
  static override args = { run: Args.string({ description: 'the run', required: true }) }
  static override examples = ['<%= config.bin %> chaos report c57 > report.md', '<%= config.bin %> chaos report c57 --json']

  input({ args }: Parsed<typeof ChaosReport>): InputOf<typeof operation> {
    return { run: args.run ?? '' }
  }

  render(data: OutputOf<typeof operation>): string {
    return renderReport(data)
  }
}
