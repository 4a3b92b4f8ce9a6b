import { Args, Flags, MusterCommand } from '../../../cli/command.ts'
import { PLACE_FLAGS, placeTimes, STORE_FLAGS, storeOf } from '../../../cli/flags/store.ts'
import { renderPlace } from '../../../cli/render/coordination.ts'
import { MusterError } from '../../../core/kernel/errors.ts'

export default class GroupJoin extends MusterCommand {
  static override summary = 'Be a member of a group until Ctrl-C, or as long as a command runs.'
  static override description =
    'Others see the member with `delos group ls` and `watch`; it is gone when it leaves, or --ttl after it died. An id that another member has is refused (exit 5). ' +
    'CMD gets MUSTER_GROUP_NAME, …_KEY, …_TOKEN and …_LEASE, and is stopped before a lease that cannot be kept ends.'
  static override usage = 'delos group join NAME --id ID [--data D] [--ttl TTL] [--grace TIME] [-- CMD [ARGUMENT…]]'
  static override strict = false
  static override args = { name: Args.string({ required: true, description: 'the group' }) }
  static override flags = {
    id: Flags.string({ description: 'name of the member, without a slash', required: true, helpValue: 'ID' }),
    data: Flags.string({ description: 'what others are told of it', default: '', helpValue: 'D' }),
    ttl: PLACE_FLAGS.ttl,
    grace: PLACE_FLAGS.grace,
    ...STORE_FLAGS,
  }
  static override examples = [
    '<%= config.bin %> delos group join workers --id w1 --data 10.0.0.7:8080 -- ./worker',
    '<%= config.bin %> delos group join workers --id w2 --ttl 5s',
  ]

  async run(): Promise<void> {
    const { args, flags, argv } = await this.start(GroupJoin)
    if (flags.id === '' || flags.id.includes('/')) throw new MusterError('USAGE', `--id "${flags.id}" must be a name without a slash`)
    const { hold } = await import('../../../cli/coordination/hold.ts')
    const { keyOf } = await import('../../../cli/coordination/key-text.ts')
    const { joinGroup } = await import('../../../core/delos/recipes/etcd/group.ts')
    const data = new TextEncoder().encode(flags.data)
    process.exitCode = await hold(await storeOf(flags), {
      ...placeTimes(flags),
      name: args.name,
      what: `the membership of ${flags.id} in ${args.name}`,
      recipe: (lease) => joinGroup(keyOf(args.name), keyOf(flags.id), lease, data),
      command: argv.slice(1),
      prefix: 'GROUP',
      note: (text) => this.note(text),
      onHeld: (place) => this.answer(this.dottedId, { ...place, id: flags.id }, (held, view) => renderPlace(view, 'member of', held)),
    })
  }
}
