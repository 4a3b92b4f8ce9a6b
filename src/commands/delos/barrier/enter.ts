import { Args, Flags, MusterCommand } from '../../../cli/command.ts'
import { PLACE_FLAGS, placeTimes, STORE_FLAGS, storeOf } from '../../../cli/flags/store.ts'
import { renderPlace } from '../../../cli/render/coordination.ts'
import type { StoreClient } from '../../../client/connect.ts'
import type { Inside } from '../../../core/delos/recipes/etcd/barrier.ts'
import { MusterError } from '../../../core/kernel/errors.ts'

export default class BarrierEnter extends MusterCommand {
  static override summary = 'Come to a barrier and wait until enough are here, or until it is released.'
  static override description =
    'With --count it opens for all at once when so many are here; with CMD that runs then (MUSTER_BARRIER_NAME, …_KEY, …_TOKEN, …_LEASE), and the end waits until all have left. ' +
    'With --stay the place is kept for --ttl, for `delos barrier leave`. Without --count it waits while somebody holds the barrier (`delos barrier hold`). Exit 5 when --timeout is over.'
  static override usage = 'delos barrier enter NAME [--count N] [--timeout T] [--ttl TTL] [--stay] [-- CMD [ARGUMENT…]]'
  static override strict = false
  static override args = { name: Args.string({ required: true, description: 'the barrier' }) }
  static override flags = {
    count: Flags.integer({ description: 'how many it is for', min: 1, max: 100, helpValue: 'N' }),
    timeout: Flags.string({ description: 'longest wait; then exit 5; without it as long as it takes', helpValue: 'T' }),
    stay: Flags.boolean({ description: 'stay inside after this command, until `barrier leave` or for --ttl', dependsOn: ['count'] }),
    ttl: PLACE_FLAGS.ttl,
    grace: PLACE_FLAGS.grace,
    ...STORE_FLAGS,
  }
  static override examples = [
    '<%= config.bin %> delos barrier enter migrated --count 3 --timeout 5m',
    '<%= config.bin %> delos barrier enter phase-1 --count 3 -- ./phase-1.sh',
    '<%= config.bin %> delos barrier enter go --timeout 1m',
  ]

  async run(): Promise<void> {
    const { args, flags, argv } = await this.start(BarrierEnter)
    const command = argv.slice(1)
    const times = placeTimes({ ttl: flags.ttl, grace: flags.grace, wait: flags.timeout })
    const client = await storeOf(flags)
    const { count } = flags
    if (count === undefined) {
      if (command.length > 0) throw new MusterError('USAGE', 'a command runs inside only with --count')
      const { passBarrier } = await import('../../../cli/coordination/barrier.ts')
      try {
        const revision = await passBarrier(client, args.name, times.waitMs, this.interrupted())
        await this.answer(this.dottedId, { name: args.name, revision }, (data) => `${data.name} is open`)
      } finally {
        client.close()
      }
      return
    }
    const { hold } = await import('../../../cli/coordination/hold.ts')
    const { keyOf } = await import('../../../cli/coordination/key-text.ts')
    const { barrier, leaveBarrier } = await import('../../../core/delos/recipes/etcd/barrier.ts')
    process.exitCode = await hold(client, {
      ...times,
      name: args.name,
      what: `the barrier ${args.name} for ${count}`,
      recipe: (lease) => barrier(keyOf(args.name), lease, count),
      command,
      isBrief: command.length === 0,
      isLeft: flags.stay,
      ...(command.length === 0
        ? {}
        : { leave: (store: StoreClient, held: Inside, signal: AbortSignal) => store.run(leaveBarrier(held), { signal }) }),
      prefix: 'BARRIER',
      note: (text) => this.note(text),
      onHeld: (place) => this.answer(this.dottedId, place, (data, view) => renderPlace(view, 'inside', data)),
    })
  }
}
