import { Args, Flags, MusterCommand } from '../../../../cli/command.ts'
import { confirmYes } from '../../../../cli/confirm.ts'
import { operatorOf, STORE_FLAGS } from '../../../../cli/flags/store.ts'
import { renderEnabled, type FeatureRow } from '../../../../cli/render/delos-features.ts'

export default class LogFeaturesEnable extends MusterCommand {
  static override summary = "Enable a feature of a store's log, from the next position on and for good."
  static override description =
    'Refused unless every server answers and knows it. A server of a version that does not know it never takes part again: it stops, and says what to install.'
  static override args = { name: Args.string({ required: true, description: 'the feature, as `delos log features` names it' }) }
  static override flags = {
    plan: Flags.boolean({ description: 'only see whether it could be enabled' }),
    yes: Flags.boolean({ char: 'y', description: 'do not ask' }),
    ...STORE_FLAGS,
  }
  static override examples = [
    '<%= config.bin %> delos log features enable NAME --plan',
    '<%= config.bin %> delos log features enable NAME --yes',
  ]

  async run(): Promise<void> {
    const { args, flags } = await this.start(LogFeaturesEnable)
    const { name } = args
    const operator = await operatorOf(flags)
    const ask = (dryRun: boolean): Promise<FeatureRow> => operator.ask<FeatureRow>('log/enable', { name, dryRun })
    try {
      const plan = await ask(true)
      if (!flags.plan) await confirmYes(`Enable ${name}, for good?`, flags.yes, process)
      await this.answer(this.dottedId, flags.plan ? plan : await ask(false), renderEnabled)
    } finally {
      operator.close()
    }
  }
}
