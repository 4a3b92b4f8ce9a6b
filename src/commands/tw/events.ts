import { Flags, MusterCommand } from '../../cli/command.ts'
import { latestEvents } from '../../cli/follow/latest-events.ts'
import { describeEntry, type EntryLike } from '../../cli/render/tw-events.ts'

/** Events printed when neither a position nor a number is given. */
const LATEST = 200

export default class TwEvents extends MusterCommand {
  static override summary = 'Print what happened to jobs, tasks, nodes and splits, from the log.'
  static override description =
    'Each event stands at a position of the log; `--from` that position plus one goes on after it, with nothing lost and nothing twice, ' +
    'also over a restart of the server. With --json an event a line, its `position` in it.'
  static override flags = {
    follow: Flags.boolean({ char: 'f', description: 'go on with what happens from now on' }),
    from: Flags.integer({
      description: 'from this log position on; without it, the last ones',
      min: 0,
      helpValue: 'POSITION',
    }),
    limit: Flags.integer({
      description: `at most so many events; without --from, so many last ones, ${LATEST} if not said`,
      min: 1,
      helpValue: 'N',
    }),
    job: Flags.string({ description: 'only what tells of this job', helpValue: 'NAME' }),
    node: Flags.string({ description: 'only what tells of this node', helpValue: 'NAME' }),
    type: Flags.string({ description: 'only events whose type begins so: NodeLost, Tasks', multiple: true, helpValue: 'TYPE' }),
    notable: Flags.boolean({ description: 'only what a person should find in an incident' }),
  }
  static override examples = [
    '<%= config.bin %> tw events',
    '<%= config.bin %> tw events --limit 20',
    '<%= config.bin %> tw events -f --job web',
    '<%= config.bin %> tw events --from 1 --notable',
    '<%= config.bin %> tw events --type Node --type Drain --limit 50 --json',
  ]

  async run(): Promise<void> {
    const { flags } = await this.start(TwEvents)
    const interrupted = this.interrupted()
    const { position } = await this.client.get('/healthz', interrupted)
    const end = new AbortController()
    const wish = {
      types: (flags.type ?? ['']).map((type) => (type.startsWith('tw.') ? type : `tw.${type}`)),
      job: flags.job,
      node: flags.node,
    }
    const show = (it: EntryLike): void => this.print(this.isMachine ? JSON.stringify(it) : describeEntry(this.view, it))
    const isShown = (it: EntryLike): boolean => it.notable !== undefined || !flags.notable
    if (flags.from === undefined) {
      const { events: latest, from } = await latestEvents(this.client, wish, position, flags.limit ?? LATEST, isShown, interrupted)
      latest.forEach(show)
      if (latest.length === 0 && from > 0) this.note(`none from position ${from} on; --from looks further back`)
      if (!flags.follow || interrupted.aborted) {
        if (!interrupted.aborted) this.note(`to go on: muster tw events --from ${position}`)
        return
      }
    }
    const from = flags.from ?? position
    const events = this.client.events({
      ...wish,
      from,
      until: flags.follow ? undefined : position,
      signal: AbortSignal.any([interrupted, end.signal]),
      onHead: (head) => {
        if (flags.from !== undefined && from > 0 && from < head)
          this.note(`▲ the log begins at position ${head}: what was before it is trimmed away`)
      },
    })
    let left = flags.from === undefined ? Number.POSITIVE_INFINITY : (flags.limit ?? Number.POSITIVE_INFINITY)
    let next = position
    for await (const { id, entry } of events) {
      const it = entry as EntryLike
      if (!isShown(it)) continue
      show(it)
      left -= 1
      if (left > 0) continue
      next = id + 1
      break
    }
    end.abort()
    if (!interrupted.aborted) this.note(`to go on: muster tw events --from ${next}`)
  }
}
