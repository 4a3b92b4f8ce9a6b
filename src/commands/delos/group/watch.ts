import { Args, Flags, MusterCommand } from '../../../cli/command.ts'
import { STORE_FLAGS, storeOf } from '../../../cli/flags/store.ts'
import { renderMemberEvent } from '../../../cli/render/coordination.ts'

export default class GroupWatch extends MusterCommand {
  static override summary = 'Tell who is in a group, then who joins, changes and leaves, as it happens.'
  static override description = 'Goes on over restarts of the servers; nothing is missed or told twice. With --json one object a line.'
  static override args = { name: Args.string({ required: true, description: 'the group' }) }
  static override flags = {
    events: Flags.integer({ description: 'end after so many, those that are here at the start included', helpValue: 'N', min: 1 }),
    ...STORE_FLAGS,
  }
  static override examples = [
    '<%= config.bin %> delos group watch workers',
    '<%= config.bin %> delos group watch workers --events 3 --json',
  ]

  async run(): Promise<void> {
    const { args, flags } = await this.start(GroupWatch)
    const { memberEvents } = await import('../../../cli/coordination/members.ts')
    const client = await storeOf(flags)
    let left = flags.events ?? Infinity
    try {
      for await (const event of memberEvents(client, args.name, this.interrupted())) {
        this.print(this.isMachine ? JSON.stringify(event) : renderMemberEvent(this.view, event))
        left -= 1
        if (left <= 0) return
      }
    } finally {
      client.close()
    }
  }
}
