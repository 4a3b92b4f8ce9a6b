import { Args, Flags, MusterCommand } from '../../../cli/command.ts'
import { PLACE_FLAGS, placeTimes, STORE_FLAGS, storeOf } from '../../../cli/flags/store.ts'
import { MusterError } from '../../../core/kernel/errors.ts'

export default class SemaphoreRun extends MusterCommand {
  static override summary = 'Run a command while holding permits of a semaphore, so that at most so many run at once.'
  static override description =
    'Waits for its turn, in the order of asking, runs CMD with MUSTER_SEMAPHORE_NAME, …_KEY, …_TOKEN and …_LEASE set, and gives the permits back when it ends. ' +
    'The exit code is that of CMD. All who use a semaphore at a time give the same --limit. If the lease cannot be kept, CMD is stopped before it can end.'
  static override usage = 'delos semaphore run NAME --limit N [--permits N] [--ttl TTL] [--wait TIME] [--grace TIME] -- CMD [ARGUMENT…]'
  static override strict = false
  static override args = { name: Args.string({ required: true, description: 'the semaphore' }) }
  static override flags = {
    limit: Flags.integer({ description: 'permits there are', required: true, min: 1, helpValue: 'N' }),
    permits: Flags.integer({ description: 'permits CMD needs', default: 1, min: 1, max: 100, helpValue: 'N' }),
    ...PLACE_FLAGS,
    ...STORE_FLAGS,
  }
  static override examples = [
    '<%= config.bin %> delos semaphore run backups --limit 3 -- ./backup.sh',
    '<%= config.bin %> delos semaphore run gpu --limit 8 --permits 4 --wait 10m -- ./train.sh',
  ]

  async run(): Promise<void> {
    const { args, flags, argv } = await this.start(SemaphoreRun)
    if (argv.length < 2)
      throw new MusterError('USAGE', 'which command shall run with the permits?', {
        hint: 'Give it after --: muster delos semaphore run NAME --limit N -- CMD',
      })
    const { hold } = await import('../../../cli/coordination/hold.ts')
    const { keyOf } = await import('../../../cli/coordination/key-text.ts')
    const { semaphore } = await import('../../../core/delos/recipes/etcd/semaphore.ts')
    process.exitCode = await hold(await storeOf(flags), {
      ...placeTimes(flags),
      name: args.name,
      what: `${flags.permits} of ${flags.limit} permits of ${args.name}`,
      recipe: (lease) => semaphore(keyOf(args.name), lease, flags.limit, flags.permits),
      command: argv.slice(1),
      prefix: 'SEMAPHORE',
      note: (text) => this.note(text),
      onHeld: async () => {},
    })
  }
}
