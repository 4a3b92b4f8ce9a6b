import { Args, MusterCommand } from '../../../cli/command.ts'
import { STORE_FLAGS, storeOf } from '../../../cli/flags/store.ts'
import { renderMembers } from '../../../cli/render/coordination.ts'

export default class GroupLs extends MusterCommand {
  static override summary = 'List the members of a group in the order of joining.'
  static override args = { name: Args.string({ required: true, description: 'the group' }) }
  static override flags = { ...STORE_FLAGS }
  static override examples = ['<%= config.bin %> delos group ls workers', '<%= config.bin %> delos group ls workers -o wide']

  async run(): Promise<void> {
    const { args, flags } = await this.start(GroupLs)
    const { membersOf } = await import('../../../cli/coordination/members.ts')
    const client = await storeOf(flags)
    try {
      await this.answer(this.dottedId, await membersOf(client, args.name), (data, view) => renderMembers(view, data.members))
    } finally {
      client.close()
    }
  }
}
