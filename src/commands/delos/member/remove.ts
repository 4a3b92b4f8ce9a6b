import { Args, Flags } from '../../../cli/command.ts'
import { confirmName } from '../../../cli/confirm.ts'
import { idsOf } from '../../../cli/flags/member.ts'
import { StoreCommand } from '../../../cli/delos/store-command.ts'
import { SERVERS_FLAGS } from '../../../cli/flags/store.ts'
import { renderMembers, type MemberRow } from '../../../cli/render/delos-chain.ts'

export default class MemberRemove extends StoreCommand {
  static override summary = "Remove a server from a store's cluster, for good."
  static override description = 'It stops by itself and keeps its data. Refused unless the rest has a majority that answers.'
  static override args = { member: Args.string({ required: true, description: 'its id in hexadecimal, or its name' }) }
  static override flags = {
    confirm: Flags.string({ description: 'what you are about to remove, instead of being asked', helpValue: 'MEMBER' }),
    ...SERVERS_FLAGS,
  }
  static override examples = ['<%= config.bin %> delos member remove c --confirm c']

  async run(): Promise<void> {
    const { args, flags } = await this.start(MemberRemove)
    await confirmName(`${args.member} is removed, and never comes back under its id.`, args.member, flags.confirm, process)
    const operator = await this.operator(flags, 'control')
    try {
      const answer = await operator.ask<{ members: MemberRow[] }>('member/remove', { ids: await idsOf(operator, [args.member]) })
      await this.answer(this.dottedId, answer, ({ members }, view) => renderMembers(members, view))
    } finally {
      operator.close()
    }
  }
}
