import { Args, Flags } from '../../../cli/command.ts'
import { StoreCommand } from '../../../cli/delos/store-command.ts'
import { SERVERS_FLAGS } from '../../../cli/flags/store.ts'
import { renderMembers, type MemberRow } from '../../../cli/render/delos-chain.ts'

export default class MemberAdd extends StoreCommand {
  static override summary = "Add a server to a store's cluster, while it runs."
  static override description =
    'It is started afterwards, with --initial-cluster-state existing. It counts as a voter only once it has caught up, so that an absent one never costs ' +
    'the majority; with --learner it receives everything and does not count until it is promoted.'
  static override args = { name: Args.string({ required: true, description: 'its name' }) }
  static override flags = {
    'peer-urls': Flags.string({ description: 'where other servers will find it', required: true, helpValue: 'URL,…' }),
    learner: Flags.boolean({ description: 'only receives, until `member promote`' }),
    ...SERVERS_FLAGS,
  }
  static override examples = ['<%= config.bin %> delos member add d --peer-urls http://10.0.0.4:2380']

  async run(): Promise<void> {
    const { args, flags } = await this.start(MemberAdd)
    const operator = await this.operator(flags, 'control')
    const request = { name: args.name, peerUrls: flags['peer-urls'].split(','), isLearner: flags.learner }
    try {
      const answer = await operator.ask<{ id: string; members: MemberRow[] }>('member/add', request)
      await this.answer(this.dottedId, answer, ({ id, members }, view) => `added ${id}\n${renderMembers(members, view)}`)
    } finally {
      operator.close()
    }
  }
}
