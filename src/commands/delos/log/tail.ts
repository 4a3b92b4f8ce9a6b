import { defined, Flags, MusterCommand, remote } from '../../../cli/command.ts'
import { renderEntryLine, type EntryRow } from '../../../cli/render/delos.ts'

const operation = remote('delos.log.ls', async () => (await import('../../../core/delos/operations.ts')).logList)

export default class LogTail extends MusterCommand {
  static override summary = 'Print the last entries of the control log, and with -f every new one.'
  static override description = 'Goes on over restarts of the server; no entry is missed or told twice. With --json one object a line.'
  static override flags = {
    follow: Flags.boolean({ char: 'f', description: 'go on with what comes' }),
    lines: Flags.integer({ char: 'n', description: 'so many of the last ones first', default: 10, min: 0, max: 1000 }),
    type: Flags.string({ description: 'only types that start so, e.g. tw. or sev.' }),
    actor: Flags.string({ description: 'only what this actor did' }),
  }
  static override examples = ['<%= config.bin %> delos log tail', '<%= config.bin %> delos log tail -f --type deploy.']

  async run(): Promise<void> {
    const { flags } = await this.start(LogTail)
    const filter = defined({ type: flags.type, actor: flags.actor })
    const { data } = await this.call(operation, { ...filter, limit: Math.max(1, flags.lines) })
    for (const entry of flags.lines === 0 ? [] : data.entries) this.say(entry)
    if (!flags.follow) return
    const types = flags.type === undefined ? [] : [flags.type]
    for await (const event of this.client.events({ from: data.tail, types, signal: this.interrupted() })) {
      const entry = event.entry as EntryRow
      if (flags.actor === undefined || entry.actor === flags.actor) this.say(entry)
    }
  }

  private say(entry: EntryRow): void {
    this.print(this.isMachine ? JSON.stringify(entry) : renderEntryLine(entry, this.view))
  }
}
