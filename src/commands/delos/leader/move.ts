import { Flags } from '../../../cli/command.ts'
import { STORE_CHANGE_FLAGS, StoreCommand } from '../../../cli/delos/store-command.ts'
import { SERVERS_FLAGS, storeOptions } from '../../../cli/flags/store.ts'
import { renderLeaderMove, type LeaderMove as Moved } from '../../../cli/render/delos-store.ts'

export default class LeaderMove extends StoreCommand {
  static override summary = 'Have another server lead, and say how long nobody answered.'
  static override description =
    'The gap is measured: linearizable reads are asked for all the while, and it is the longest time between two that were answered.'
  static override flags = {
    to: Flags.string({ description: 'name or id of the server that shall lead', helpValue: 'NAME', required: true }),
    ...STORE_CHANGE_FLAGS,
    ...SERVERS_FLAGS,
  }
  static override examples = ['<%= config.bin %> delos leader move --to b', '<%= config.bin %> delos leader move --to b --plan']

  async run(): Promise<void> {
    const { flags } = await this.start(LeaderMove)
    if (this.isOfContext(flags)) {
      if (!(await this.isAgreed({ text: `${flags.to} leads the fleet.`, danger: 'low' }, flags))) return
      const operator = await this.operator(flags, 'control')
      return this.answer(this.dottedId, await operator.ask<Moved>('leader/move', { to: flags.to }), renderLeaderMove)
    }
    const { moveLeader, moveOf } = await import('../../../cli/delos/leader.ts')
    const options = storeOptions(flags)
    const move = await moveOf(options, flags.to)
    const isThere = move.from.id === move.to.id
    const text = isThere ? `${move.to.name} leads already.` : `${move.to.name} leads instead of ${move.from.name}.`
    if (!(await this.isAgreed({ text, danger: 'low' }, flags))) return
    const data = isThere ? { from: move.from.name, to: move.to.name, term: move.from.term, gapMs: 0 } : await moveLeader(options, move)
    await this.answer(this.dottedId, data, renderLeaderMove)
  }
}
