import { Args, Flags, MusterCommand } from '../../../cli/command.ts'
import { PLACE_FLAGS, placeTimes, STORE_FLAGS, storeOf } from '../../../cli/flags/store.ts'
import { renderPlace } from '../../../cli/render/coordination.ts'

export default class ElectRun extends MusterCommand {
  static override summary = 'Stand for election; once elected, run a command, or stay the leader.'
  static override description =
    'Waits until it leads, then runs CMD with MUSTER_ELECT_NAME, …_KEY, …_TOKEN and …_LEASE set and steps down when it ends; without CMD it leads until Ctrl-C. ' +
    'The exit code is that of CMD. If the lease cannot be kept, or somebody resigns for us, CMD is stopped before the lease can end (exit 5). ' +
    'Stands in the same election as `etcdctl elect NAME`.'
  static override usage = 'delos elect run NAME --value V [--ttl TTL] [--wait TIME] [--grace TIME] [-- CMD [ARGUMENT…]]'
  static override strict = false
  static override args = { name: Args.string({ required: true, description: 'the election' }) }
  static override flags = {
    value: Flags.string({ description: 'what observers see of the leader', required: true, helpValue: 'V' }),
    ...PLACE_FLAGS,
    ...STORE_FLAGS,
  }
  static override examples = [
    '<%= config.bin %> delos elect run scheduler --value "$HOSTNAME" -- ./scheduler',
    '<%= config.bin %> delos elect run scheduler --value a --wait 10s --json',
  ]

  async run(): Promise<void> {
    const { args, flags, argv } = await this.start(ElectRun)
    const { hold } = await import('../../../cli/coordination/hold.ts')
    const { keyOf } = await import('../../../cli/coordination/key-text.ts')
    const { campaign } = await import('../../../core/delos/recipes/etcd/election.ts')
    const value = new TextEncoder().encode(flags.value)
    process.exitCode = await hold(await storeOf(flags), {
      ...placeTimes(flags),
      name: args.name,
      what: `the leadership of ${args.name}`,
      recipe: (lease) => campaign(keyOf(args.name), lease, value),
      command: argv.slice(1),
      prefix: 'ELECT',
      note: (text) => this.note(text),
      onHeld: (place) => this.answer(this.dottedId, { ...place, value: flags.value }, (data, view) => renderPlace(view, 'leading', data)),
    })
  }
}
