import { Args, MusterCommand, remote, type OutputOf } from '../../../cli/command.ts'
import { renderSlo } from '../../../cli/render/scuba-slos.ts'

const status = remote('scuba.slo.status', async () => (await import('../../../core/scuba/operations/slo.ts')).scubaSloStatus)
const show = remote('scuba.slo.show', async () => (await import('../../../core/scuba/operations/slo.ts')).scubaSloShow)

export default class ScubaSloShow extends MusterCommand {
  static override summary = 'Show the objectives of a service: figures, tiers, what was excluded.'
  static override args = { service: Args.string({ description: 'the service', required: true }) }
  static override examples = ['<%= config.bin %> scuba slo show news-feed']

  async run(): Promise<void> {
    const { args } = await this.start(ScubaSloShow)
    const { data: stored } = await this.client.call<OutputOf<typeof show>>(show.name, { service: args.service })
    const { data } = await this.client.call<OutputOf<typeof status>>(status.name, { service: args.service })
    await this.answer(this.dottedId, { ...stored, objectives: data.objectives }, (all, view) =>
      renderSlo(all.objectives, all.exclusions, view),
    )
  }
}
