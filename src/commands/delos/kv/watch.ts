import { Args, defined, Flags, MusterCommand } from '../../../cli/command.ts'
import { OTHER_STORE_FLAGS, storeOf } from '../../../cli/flags/store.ts'
import { watchKv, type KvEvent } from '../../../cli/follow/kv.ts'
import { renderKvEvent } from '../../../cli/render/delos.ts'

export default class KvWatch extends MusterCommand {
  static override summary = 'Tell every change of a key, or of all keys with a prefix, as it happens.'
  static override description = 'Goes on over restarts of the server; no change is missed or told twice. With --json one object a line.'
  static override args = {
    key: Args.string({ required: true, description: 'the key, or with --prefix what keys start with ("" for all)' }),
  }
  static override flags = {
    prefix: Flags.boolean({ description: 'all keys that start so' }),
    rev: Flags.integer({ description: 'from this revision on, instead of from now', helpValue: 'REVISION', min: 1 }),
    'prev-kv': Flags.boolean({ description: 'give what was there before, with --json' }),
    events: Flags.integer({ description: 'end after so many changes', helpValue: 'N', min: 1 }),
    ...OTHER_STORE_FLAGS,
  }
  static override examples = [
    '<%= config.bin %> delos kv watch config/ --prefix',
    '<%= config.bin %> delos kv watch config/web --rev 1 --events 1 --json',
  ]

  async run(): Promise<void> {
    const { args, flags } = await this.start(KvWatch)
    const done = new AbortController()
    const signal = AbortSignal.any([this.interrupted(), done.signal])
    const watch = defined({ key: args.key, isPrefix: flags.prefix, from: flags.rev, wantsPrev: flags['prev-kv'] })
    let left = flags.events ?? Infinity
    for await (const event of await this.events(watch, signal)) {
      this.print(this.isMachine ? JSON.stringify(event) : renderKvEvent(event, this.view))
      left -= 1
      if (left <= 0) done.abort()
      if (left <= 0) return
    }
  }

  private async events(
    watch: { key: string; isPrefix: boolean; from?: number; wantsPrev?: boolean },
    signal: AbortSignal,
  ): Promise<AsyncGenerator<KvEvent>> {
    if (this.otherStore === null) return watchKv(this.client, watch, signal)
    const { watchAt } = await import('../../../cli/store/watch.ts')
    return watchAt(await storeOf(this.otherStore), watch, signal)
  }
}
