import { Flags, MusterCommand } from '../../cli/command.ts'
import { describeEntry, type EntryLike } from '../../cli/render/tw-events.ts'

export default class TwEvents extends MusterCommand {
  static override summary = 'Print what happened to jobs, tasks, nodes and splits, from the log.'
  static override flags = {
    follow: Flags.boolean({ char: 'f', description: 'go on with what happens from now on' }),
    from: Flags.integer({ description: 'from this log position on; without it, the last 200 entries', min: 0 }),
    notable: Flags.boolean({ description: 'only what a person should find in an incident' }),
  }
  static override examples = [
    '<%= config.bin %> tw events',
    '<%= config.bin %> tw events -f',
    '<%= config.bin %> tw events --from 1 --notable',
  ]

  async run(): Promise<void> {
    const { flags } = await this.start(TwEvents)
    const { position } = await this.client.call('tw.node.list', {})
    const interrupted = this.interrupted()
    const end = new AbortController()
    const from = flags.from ?? Math.max(0, position - 200)
    if (!flags.follow && from >= position) return
    // All types, so that the last position is seen whatever stands there.
    for await (const { id, entry } of this.client.events({ from, signal: AbortSignal.any([interrupted, end.signal]) })) {
      const it = entry as EntryLike
      if (it.type.startsWith('tw.') && (!flags.notable || it.notable))
        this.print(this.isMachine ? JSON.stringify(it) : describeEntry(this.view, it))
      if (!flags.follow && id >= position - 1) break
    }
    end.abort()
  }
}
