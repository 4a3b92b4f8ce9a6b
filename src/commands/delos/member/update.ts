import { Args, Flags } from '../../../cli/command.ts'
import { idsOf } from '../../../cli/flags/member.ts'
import { StoreCommand } from '../../../cli/delos/store-command.ts'
import { SERVERS_FLAGS } from '../../../cli/flags/store.ts'
import { renderMembers, type MemberRow } from '../../../cli/render/delos-chain.ts'

export default class MemberUpdate extends StoreCommand {
  static override summary = "Tell a store's cluster that a server is found elsewhere."
  static override args = { member: Args.string({ required: true, description: 'its id in hexadecimal, or its name' }) }
  static override flags = {
    'peer-urls': Flags.string({ description: 'where other servers find it from now on', required: true, helpValue: 'URL,…' }),
    ...SERVERS_FLAGS,
  }
  static override examples = ['<%= config.bin %> delos member update c --peer-urls http://10.0.0.7:2380']

  async run(): Promise<void> {
    const { args, flags } = await this.start(MemberUpdate)
    const operator = await this.operator(flags, 'control')
    try {
      const [id] = await idsOf(operator, [args.member])
      const answer = await operator.ask<{ members: MemberRow[] }>('member/update', { id, peerUrls: flags['peer-urls'].split(',') })
      await this.answer(this.dottedId, answer, ({ members }, view) => renderMembers(members, view))
    } finally {
      operator.close()
    }
  }
}
