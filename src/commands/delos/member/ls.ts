import { StoreCommand } from '../../../cli/delos/store-command.ts'
import { SERVERS_FLAGS, type StoreFlags } from '../../../cli/flags/store.ts'
import { renderFleetMembers, type FleetMemberRow } from '../../../cli/render/delos-chain.ts'
import { renderMembers } from '../../../cli/render/delos-store.ts'

export default class MemberLs extends StoreCommand {
  static override summary = 'List the servers of this context, or of a store: their roles, and where they are.'
  static override flags = SERVERS_FLAGS
  static override examples = [
    '<%= config.bin %> delos member ls',
    '<%= config.bin %> delos member ls --endpoints http://127.0.0.1:2379 --json',
  ]

  async run(): Promise<void> {
    const { flags } = await this.start(MemberLs)
    return this.isOfContext(flags) ? this.ofContext(flags) : this.ofStore(flags)
  }

  private async ofContext(flags: StoreFlags): Promise<void> {
    const operator = await this.operator(flags, 'control')
    const data = await operator.ask<{ members: FleetMemberRow[] }>('member/list', {})
    await this.answer('delos.member.ls.fleet', data, ({ members }, view) => renderFleetMembers(members, view))
  }

  private async ofStore(flags: StoreFlags): Promise<void> {
    const data = await this.withStore(flags, async ({ call, methods }) => {
      const effect = { effect: 'read' } as const
      const { members } = await call(methods['Cluster/MemberList'], { linearizable: false }, effect)
      const { leader } = await call(methods['Maintenance/Status'], {}, effect)
      return {
        members: members.map(({ ID, name, isLearner, peerURLs, clientURLs }) => ({
          id: ID.toString(16),
          name,
          isLearner,
          isLeader: ID === leader,
          peerUrls: peerURLs,
          clientUrls: clientURLs,
        })),
      }
    })
    await this.answer(this.dottedId, data, ({ members }, view) => renderMembers(members, view))
  }
}
