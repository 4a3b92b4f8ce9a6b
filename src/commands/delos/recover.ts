import { resolve } from 'node:path'
import { Flags, MusterCommand } from '../../cli/command.ts'
import { confirmName } from '../../cli/confirm.ts'
import { renderRecovery } from '../../cli/render/delos-recover.ts'

export default class DelosRecover extends MusterCommand {
  static override summary = 'Let one server go on alone, as a new cluster, when a majority of a store is lost for good.'
  static override description =
    'On the data directory of a server that is not running. It keeps all that it has, also what it accepted and does not know to be decided; what only the lost ' +
    'servers had is lost, and the ids of the others are never used again: they are refused if they come back. Take the server that has most, by what --plan says ' +
    'of each. Make sure that the others do not run: two clusters would answer.'
  static override flags = {
    'from-this-server': Flags.boolean({ required: true, description: 'yes, with what this server has' }),
    'data-dir': Flags.string({ required: true, description: 'its data directory', helpValue: 'DIR' }),
    plan: Flags.boolean({ description: 'only say what it has, and what may be lost' }),
    confirm: Flags.string({ description: 'the name of the server, instead of being asked', helpValue: 'NAME' }),
  }
  static override examples = [
    '<%= config.bin %> delos recover --from-this-server --data-dir ./a --plan',
    '<%= config.bin %> delos recover --from-this-server --data-dir ./a --confirm a',
  ]

  async run(): Promise<void> {
    const { flags } = await this.start(DelosRecover)
    const dataDir = resolve(flags['data-dir'])
    const { recover } = await import('../../server/delos/serve/recover.ts')
    const plan = await recover(dataDir, true)
    if (flags.plan) return this.answer(this.dottedId, plan, (data) => renderRecovery(data, Date.now()))
    if (flags.confirm === undefined && this.isScreen) this.note(renderRecovery(plan, Date.now()))
    await confirmName(
      `${plan.name} becomes a cluster of its own, without ${plan.removed.join(', ') || 'others'}.`,
      plan.name,
      flags.confirm,
      process,
    )
    await this.answer(this.dottedId, await recover(dataDir, false), (data) => renderRecovery(data, Date.now()))
  }
}
