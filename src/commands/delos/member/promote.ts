import { Args, Flags } from '../../../cli/command.ts'
import { StoreCommand } from '../../../cli/delos/store-command.ts'
import { SERVERS_FLAGS } from '../../../cli/flags/store.ts'
import { renderMembers, type MemberRow } from '../../../cli/render/delos-chain.ts'
import { idsOf } from '../../../cli/flags/member.ts'

export default class MemberPromote extends StoreCommand {
  static override summary = "Make learners of a store's cluster voters; several are one change."
  static override description =
    'Refused unless each answers, has caught up, and the new voters have a majority that answers with one to spare.'
  static override strict = false
  static override args = { member: Args.string({ required: true, description: 'ids in hexadecimal, or names' }) }
  static override flags = {
    'allow-even': Flags.boolean({ description: "of this context's servers: also where an even number of voters comes of it" }),
    ...SERVERS_FLAGS,
  }
  static override examples = ['<%= config.bin %> delos member promote b c']

  async run(): Promise<void> {
    const { argv, flags } = await this.start(MemberPromote)
    const operator = await this.operator(flags, 'control')
    try {
      const answer = await operator.ask<{ members: MemberRow[] }>('member/promote', {
        ids: await idsOf(operator, argv),
        allowEven: flags['allow-even'],
      })
      await this.answer(this.dottedId, answer, ({ members }, view) => renderMembers(members, view))
    } finally {
      operator.close()
    }
  }
}
