import { STORE_FLAGS, StoreCommand } from '../../../cli/delos/store-command.ts'
import { storeOptions } from '../../../cli/flags/store.ts'
import { renderLeaderView } from '../../../cli/render/delos-store.ts'
import { EXIT } from '../../../core/kernel/errors.ts'

export default class LeaderShow extends StoreCommand {
  static override summary = 'Show which server leads, since which term, and how long the last change took.'
  static override description = 'Exit 6 while nobody leads.'
  static override flags = STORE_FLAGS
  static override examples = ['<%= config.bin %> delos leader show', '<%= config.bin %> delos leader show --json']

  async run(): Promise<void> {
    const { flags } = await this.start(LeaderShow)
    const { lookAtStore } = await import('../../../cli/delos/look.ts')
    const { leaderOf } = await import('../../../cli/delos/leader.ts')
    const data = leaderOf(await lookAtStore(storeOptions(flags)))
    await this.answer(this.dottedId, data, (leader, view) => renderLeaderView(leader, Date.now(), view))
    if (data.leader === null) process.exitCode = EXIT.unavailable
  }
}
