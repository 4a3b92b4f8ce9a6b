import { Args, defined, Flags, MusterCommand } from '../../../cli/command.ts'
import { watchKv } from '../../../cli/follow/kv.ts'
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
    events: Flags.integer({ description: 'end after so many changes', helpValue: 'N', min: 1 }),
  }
  static override examples = [
    '<%= config.bin %> delos kv watch config/ --prefix',
    '<%= config.bin %> delos kv watch config/web --rev 1 --events 1 --json',
  ]

  async run(): Promise<void> {
    const { args, flags } = await this.start(KvWatch)
    const done = new AbortController()
    const signal = AbortSignal.any([this.interrupted(), done.signal])
    let left = flags.events ?? Infinity
    for await (const event of watchKv(this.client, defined({ key: args.key, isPrefix: flags.prefix, from: flags.rev }), signal)) {
      this.print(this.isMachine ? JSON.stringify(event) : renderKvEvent(event, this.view))
      left -= 1
      if (left <= 0) done.abort()
      if (left <= 0) return
    }
  }
}
