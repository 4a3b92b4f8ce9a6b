import { remote } from '../../../cli/command.ts'
import { StoreCommand } from '../../../cli/delos/store-command.ts'
import { SERVERS_FLAGS, storeOptions, type StoreFlags } from '../../../cli/flags/store.ts'
import type { FleetMemberRow } from '../../../cli/render/delos-chain.ts'
import { renderLeaderView } from '../../../cli/render/delos-store.ts'
import { EXIT } from '../../../core/kernel/errors.ts'

const preference = remote('delos.leader.preference', async () => (await import('../../../core/delos/operations.ts')).leaderPreferenceShow)

export default class LeaderShow extends StoreCommand {
  static override summary = 'Show which server leads this context, or a store, since which term, and how long the last change took.'
  static override description = 'Exit 6 while nobody leads.'
  static override flags = SERVERS_FLAGS
  static override examples = ['<%= config.bin %> delos leader show', '<%= config.bin %> delos leader show --json']

  async run(): Promise<void> {
    const { flags } = await this.start(LeaderShow)
    return this.isOfContext(flags) ? this.ofContext(flags) : this.ofStore(flags)
  }

  private async ofContext(flags: StoreFlags): Promise<void> {
    const operator = await this.operator(flags, 'control')
    const { members, term } = await operator.ask<{ members: FleetMemberRow[]; term: number }>('member/list', {})
    const leader = members.find(({ leads }) => leads)
    const { data: wish } = await this.call(preference, {})
    const data = { leader: leader?.name ?? null, id: leader?.id ?? null, region: leader?.region ?? null, term, prefers: wish.region }
    await this.answer('delos.leader.show.fleet', data, () => {
      const where = data.region === null ? '' : ` in ${data.region}`
      const wanted = wish.region === null ? '' : `; servers in ${wish.region} shall lead, said ${wish.author}`
      return `${data.leader ?? 'nobody'} leads${where}, term ${term}${wanted}`
    })
  }

  private async ofStore(flags: StoreFlags): Promise<void> {
    const { lookAtStore } = await import('../../../cli/delos/look.ts')
    const { leaderOf } = await import('../../../cli/delos/leader.ts')
    const data = leaderOf(await lookAtStore(storeOptions(flags)))
    await this.answer(this.dottedId, data, (leader, view) => renderLeaderView(leader, Date.now(), view))
    if (data.leader === null) process.exitCode = EXIT.unavailable
  }
}
