import { Args, defined, Flags, MusterCommand } from '../../../cli/command.ts'
import { readConfig } from '../../../cli/follow/config-reader.ts'
import { configChange, renderConfigChange } from '../../../cli/render/delos-config.ts'
import { MusterError } from '../../../core/kernel/errors.ts'
import type { EntryRow } from '../../../cli/render/delos.ts'

export default class ConfigWatch extends MusterCommand {
  static override summary = 'Tell every change of a configuration, or of all, as it happens.'
  static override description =
    'Goes on over restarts of the server; no change is missed or told twice. Each line begins with its position in the log: --from that plus one ' +
    'goes on after it. With --json one object a line. With --reader it is one of the readers: it tells the version that this reader has, ' +
    'and each that it is given from then on, in a trial too; with --json, the text as well.'
  static override args = { config: Args.string({ description: 'its name; without it, all' }) }
  static override flags = {
    from: Flags.integer({ description: 'from this position of the log on, instead of from now', helpValue: 'POSITION', min: 1 }),
    reader: Flags.string({ description: 'as this reader, e.g. "$MUSTER_TASK"', helpValue: 'ID', exclusive: ['from'] }),
    events: Flags.integer({ description: 'end after so many changes', helpValue: 'N', min: 1 }),
  }
  static override examples = [
    '<%= config.bin %> delos config watch web/limits',
    '<%= config.bin %> delos config watch --from 1 --events 1 --json',
    '<%= config.bin %> delos config watch web/limits --reader "$MUSTER_TASK" --json',
  ]

  async run(): Promise<void> {
    const { args, flags } = await this.start(ConfigWatch)
    const done = new AbortController()
    const signal = AbortSignal.any([this.interrupted(), done.signal])
    let left = flags.events ?? Infinity
    if (flags.reader !== undefined) {
      if (args.config === undefined) throw new MusterError('USAGE', '--reader reads one configuration: say which')
      for await (const config of readConfig(this.client, args.config, flags.reader, signal)) {
        const { name, version, state, body } = config
        this.print(
          this.isMachine
            ? JSON.stringify({ name, version, state, body })
            : `${name} ${version} ${state === 'proposed' ? 'on trial' : state}`,
        )
        left -= 1
        if (left > 0) continue
        done.abort()
        return
      }
      return
    }
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
