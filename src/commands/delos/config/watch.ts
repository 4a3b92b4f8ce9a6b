import { Args, defined, Flags, MusterCommand } from '../../../cli/command.ts'
import { configChange, renderConfigChange } from '../../../cli/render/delos-config.ts'
import type { EntryRow } from '../../../cli/render/delos.ts'

export default class ConfigWatch extends MusterCommand {
  static override summary = 'Tell every change of a configuration, or of all, as it happens.'
  static override description =
    'Goes on over restarts of the server; no change is missed or told twice. Each line begins with its position in the log: --from that plus one ' +
    'goes on after it. With --json one object a line.'
  static override args = { config: Args.string({ description: 'its name; without it, all' }) }
  static override flags = {
    from: Flags.integer({ description: 'from this position of the log on, instead of from now', helpValue: 'POSITION', min: 1 }),
    events: Flags.integer({ description: 'end after so many changes', helpValue: 'N', min: 1 }),
  }
  static override examples = [
    '<%= config.bin %> delos config watch web/limits',
    '<%= config.bin %> delos config watch --from 1 --events 1 --json',
  ]

  async run(): Promise<void> {
    const { args, flags } = await this.start(ConfigWatch)
    const done = new AbortController()
    const signal = AbortSignal.any([this.interrupted(), done.signal])
    let left = flags.events ?? Infinity
    for await (const event of this.client.events(defined({ from: flags.from, types: ['delos.Config'], signal }))) {
      const change = configChange(event.entry as EntryRow & { body: unknown })
      if (change === null || (args.config !== undefined && change.name !== args.config)) continue
      this.print(this.isMachine ? JSON.stringify(change) : renderConfigChange(change, this.view))
      left -= 1
      if (left > 0) continue
      done.abort()
      return
    }
  }
}
