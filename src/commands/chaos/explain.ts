import { Args, QueryCommand, remote, type InputOf, type OutputOf, type Parsed, type View } from '../../cli/command.ts'
import { renderRun } from '../../cli/render/chaos.ts'

const operation = remote('chaos.run.evidence', async () => (await import('../../core/chaos/operations.ts')).runEvidence)

export default class ChaosExplain extends QueryCommand<typeof operation> {
  static override operation = operation
  static override summary = 'Say why a run ended as it did: each decision with its log position.'
  static override args = { run: Args.string({ description: 'the run', required: true }) }
  static override examples = ['<%= config.bin %> chaos explain c57']

  input({ args }: Parsed<typeof ChaosExplain>): InputOf<typeof operation> {
    return { run: args.run ?? '' }
  }

  render(data: OutputOf<typeof operation>, view: View): string {
    const events = data.events.map(
      (event) => `${String(event.position).padStart(8)}  ${new Date(event.atMs).toISOString().slice(11, 23)}  ${event.text}`,
    )
    return [renderRun(view, data), '', ...events].join('\n')
  }
}
