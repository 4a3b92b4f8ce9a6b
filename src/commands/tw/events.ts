import { Flags, MusterCommand } from '../../cli/command.ts'
import { describeEntry, type EntryLike } from '../../cli/render/tw-events.ts'

/** Entries that are looked at when no position is given. */
const LATEST = 200

export default class TwEvents extends MusterCommand {
  static override summary = 'Print what happened to jobs, tasks, nodes and splits, from the log.'
  static override description =
    'Each event stands at a position of the log; `--from` that position plus one goes on after it, with nothing lost and nothing twice, ' +
    'also over a restart of the server. With --json an event a line, its `position` in it.'
  static override flags = {
    follow: Flags.boolean({ char: 'f', description: 'go on with what happens from now on' }),
    from: Flags.integer({
      description: `from this log position on; without it, the last ${LATEST} entries`,
      min: 0,
      helpValue: 'POSITION',
    }),
    limit: Flags.integer({ description: 'end after so many events', min: 1, helpValue: 'N' }),
    job: Flags.string({ description: 'only what tells of this job', helpValue: 'NAME' }),
    node: Flags.string({ description: 'only what tells of this node', helpValue: 'NAME' }),
    type: Flags.string({ description: 'only events whose type begins so: NodeLost, Tasks', multiple: true, helpValue: 'TYPE' }),
    notable: Flags.boolean({ description: 'only what a person should find in an incident' }),
  }
  static override examples = [
    '<%= config.bin %> tw events',
    '<%= config.bin %> tw events -f --job web',
    '<%= config.bin %> tw events --from 1 --notable',
    '<%= config.bin %> tw events --type Node --type Drain --limit 50 --json',
  ]

  async run(): Promise<void> {
    const { flags } = await this.start(TwEvents)
    const interrupted = this.interrupted()
    const { position } = await this.client.get('/healthz', interrupted)
    const end = new AbortController()
    const from = flags.from ?? Math.max(0, position - LATEST)
    const events = this.client.events({
      from,
      until: flags.follow ? undefined : position,
      types: (flags.type ?? ['']).map((type) => (type.startsWith('tw.') ? type : `tw.${type}`)),
      job: flags.job,
      node: flags.node,
      signal: AbortSignal.any([interrupted, end.signal]),
      onHead: (head) => {
        if (flags.from !== undefined && from > 0 && from < head)
          this.note(`▲ the log begins at position ${head}: what was before it is trimmed away`)
      },
    })
    let left = flags.limit ?? Number.POSITIVE_INFINITY
    let next = position
    for await (const { id, entry } of events) {
      const it = entry as EntryLike
      if (flags.notable && !it.notable) continue
      this.print(this.isMachine ? JSON.stringify(it) : describeEntry(this.view, it))
      left -= 1
      if (left > 0) continue
      next = id + 1
      break
    }
    end.abort()
    if (!interrupted.aborted) this.note(`to go on: muster tw events --from ${next}`)
  }
}
