import { MusterCommand } from '../../../cli/command.ts'
import { operatorOf, STORE_FLAGS } from '../../../cli/flags/store.ts'
import { renderFeatures, type FeatureRow } from '../../../cli/render/delos-features.ts'

export default class LogFeatures extends MusterCommand {
  static override summary = "Show the features of a store's log: dormant or enabled, since which position, and which servers know them."
  static override description =
    'What servers would do otherwise ships dormant, so that servers of two versions go on alike while one after the other is replaced.'
  static override flags = { ...STORE_FLAGS }
  static override examples = ['<%= config.bin %> delos log features --endpoints http://127.0.0.1:2379']

  async run(): Promise<void> {
    const { flags } = await this.start(LogFeatures)
    const operator = await operatorOf(flags)
    try {
      const answer = await operator.ask<{ features: FeatureRow[] }>('log/features', {})
      await this.answer(this.dottedId, answer, ({ features }, view) => renderFeatures(features, view))
    } finally {
      operator.close()
    }
  }
}
