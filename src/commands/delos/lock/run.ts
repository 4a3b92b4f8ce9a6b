import { Args, Flags, MusterCommand } from '../../../cli/command.ts'
import { OTHER_STORE_FLAGS, storeOf } from '../../../cli/flags/store.ts'
import { durationFlag } from '../../../cli/flags/time.ts'
import { MusterError } from '../../../core/kernel/errors.ts'

export default class LockRun extends MusterCommand {
  static override summary = 'Run a command while holding a lock.'
  static override description =
    'Waits for the lock, runs CMD with MUSTER_LOCK_KEY and MUSTER_LOCK_TOKEN set, and gives the lock back when it ends, also on Ctrl-C. ' +
    'The exit code is that of CMD. If the lease cannot be kept, CMD is stopped before the lease can end. ' +
    "A lock alone does not keep out a holder that was paused: have CMD guard its writes with the token (`kv put --fence NAME:$MUSTER_LOCK_TOKEN`), or where that cannot be, give --lock-delay; etcd's own clients wait for it too."
  static override usage = 'delos lock run NAME [--ttl TTL] [--wait TIME] [--grace TIME] -- CMD [ARGUMENT…]'
  static override strict = false
  static override args = { name: Args.string({ required: true, description: 'the lock' }) }
  static override flags = {
    ttl: Flags.string({ description: 'time after which the lock is free when we are gone', default: '15s' }),
    wait: Flags.string({ description: 'longest wait for the lock; then exit 5', default: '1m' }),
    grace: Flags.string({ description: 'time CMD has to end before the lease can; without it a third of --ttl', helpValue: 'TIME' }),
    'lock-delay': Flags.string({
      description:
        'time for which the lock stays taken when its lease is lost, not given back: last writes of a paused holder are over by then',
      default: '0s',
      helpValue: 'TIME',
    }),
    shared: Flags.boolean({ description: 'share it with others who share it' }),
    ...OTHER_STORE_FLAGS,
  }
  static override examples = [
    '<%= config.bin %> delos lock run db/migrate -- ./migrate.sh',
    '<%= config.bin %> delos lock run db/schema --shared -- ./report.sh',
    '<%= config.bin %> delos lock run db/schema --endpoints http://127.0.0.1:2379 --shared -- ./report.sh',
    '<%= config.bin %> delos lock run nightly --wait 0s --ttl 30s -- sh -c \'echo "token $MUSTER_LOCK_TOKEN"\'',
  ]

  async run(): Promise<void> {
    const { args, flags, argv } = await this.start(LockRun)
    const command = argv.slice(1)
    if (command.length === 0)
      throw new MusterError('USAGE', 'which command shall run under the lock?', {
        hint: 'Give it after --: muster delos lock run NAME -- CMD',
      })
    const ttlMs = durationFlag('ttl', flags.ttl)
    const graceMs = flags.grace === undefined ? Math.floor(ttlMs / 3) : durationFlag('grace', flags.grace)
    if (graceMs >= ttlMs) throw new MusterError('USAGE', '--grace must be shorter than --ttl')
    const lockDelayMs = durationFlag('lock-delay', flags['lock-delay'])
    if (flags.endpoints !== undefined) {
      const { runStoreLocked } = await import('../../../cli/coordination/store-lock.ts')
      const times = { ttlMs, graceMs, waitMs: durationFlag('wait', flags.wait) }
      const note = (text: string): void => this.note(text)
      process.exitCode = await runStoreLocked(await storeOf(flags), {
        ...times,
        name: args.name,
        isShared: flags.shared,
        lockDelayMs,
        command,
        note,
      })
      return
    }
    const { runLocked } = await import('../../../cli/lock/run-locked.ts')
    const options = {
      name: args.name,
      ttlMs,
      graceMs,
      waitMs: durationFlag('wait', flags.wait),
      isShared: flags.shared,
      lockDelayMs,
      command,
      note: (text: string) => this.note(text),
    }
    process.exitCode = await runLocked(this.client, options)
  }
}
