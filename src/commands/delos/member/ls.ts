import { STORE_FLAGS, StoreCommand } from '../../../cli/delos/store-command.ts'
import { renderMembers } from '../../../cli/render/delos-store.ts'

export default class MemberLs extends StoreCommand {
  static override summary = 'List the servers of a store, their roles and where they are.'
  static override flags = STORE_FLAGS
  static override examples = [
    '<%= config.bin %> delos member ls',
    '<%= config.bin %> delos member ls --endpoints http://127.0.0.1:2379 --json',
  ]

  async run(): Promise<void> {
    const { flags } = await this.start(MemberLs)
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
