import { Args, Flags, MusterCommand } from '../../../cli/command.ts'
import { PLACE_FLAGS, placeTimes, STORE_FLAGS, storeOf } from '../../../cli/flags/store.ts'
import { renderPlace } from '../../../cli/render/coordination.ts'
import { MusterError } from '../../../core/kernel/errors.ts'

export default class EphemeralRun extends MusterCommand {
  static override summary = 'Make a key that is there as long as a command runs, or until Ctrl-C.'
  static override description =
    'The key goes when CMD ends, or --ttl after we died. One that somebody else holds is refused (exit 5). ' +
    'CMD gets MUSTER_EPHEMERAL_NAME, …_KEY, …_TOKEN and …_LEASE, and is stopped before a lease that cannot be kept ends.'
  static override usage = 'delos ephemeral run KEY [--value V] [--ttl TTL] [--grace TIME] [-- CMD [ARGUMENT…]]'
  static override strict = false
  static override args = { key: Args.string({ required: true, description: 'the key' }) }
  static override flags = {
    value: Flags.string({ description: 'its value', default: '', helpValue: 'V' }),
    container: Flags.boolean({
      description: 'make what is before the last slash of KEY a key, too, that goes 60 s after its last child (of a store of ours)',
    }),
    ttl: PLACE_FLAGS.ttl,
    grace: PLACE_FLAGS.grace,
    ...STORE_FLAGS,
  }
  static override examples = [
    '<%= config.bin %> delos ephemeral run services/web/a --value 10.0.0.7:8080 -- ./web',
    '<%= config.bin %> delos ephemeral run maintenance --value anna --ttl 30s',
  ]

  async run(): Promise<void> {
    const { args, flags, argv } = await this.start(EphemeralRun)
    const { hold } = await import('../../../cli/coordination/hold.ts')
    const { keyOf } = await import('../../../cli/coordination/key-text.ts')
    const { ephemeralKey } = await import('../../../core/delos/recipes/etcd/ephemeral.ts')
    const value = new TextEncoder().encode(flags.value)
    const parent = args.key.slice(0, Math.max(0, args.key.lastIndexOf('/')))
    if (flags.container && parent === '') throw new MusterError('USAGE', `--container: ${args.key} has no parent, for it has no slash`)
    const client = await storeOf(flags)
    if (flags.container) {
      const { makeContainer } = await import('../../../core/delos/recipes/etcd/container.ts')
      await client.txn(makeContainer(keyOf(parent)), { isRepeatable: true })
    }
    process.exitCode = await hold(client, {
      ...placeTimes(flags),
      name: args.key,
      what: `the key ${args.key}`,
      recipe: (lease) => ephemeralKey(keyOf(args.key), value, lease),
      command: argv.slice(1),
      prefix: 'EPHEMERAL',
      note: (text) => this.note(text),
      onHeld: (place) => this.answer(this.dottedId, place, (data, view) => renderPlace(view, 'there:', data)),
    })
  }
}
