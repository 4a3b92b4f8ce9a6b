import { Args, ChangeCommand, defined, Flags, remote, type InputOf, type OutputOf, type Parsed, type View } from '../../cli/command.ts'
import { renderActed } from '../../cli/render/sev.ts'
import { incidentNumber } from '../../cli/flags/incident-number.ts'

const operation = remote('sev.incident.ack', async () => (await import('../../core/sev/operations.ts')).incidentAck)
const unack = remote('sev.incident.unack', async () => (await import('../../core/sev/operations.ts')).incidentUnack)

export default class SevAck extends ChangeCommand<typeof operation> {
  static override operation = operation
  static override summary = 'Acknowledge an incident: the paging stops.'
  static override args = { incident: Args.string({ description: 'number of the incident; left out: your only open one' }) }
  static override flags = {
    'all-mine': Flags.boolean({ description: 'every incident you are being paged for' }),
    undo: Flags.boolean({ description: 'take it back; within 10 s the old timers go on', exclusive: ['all-mine'] }),
  }
  static override examples = ['<%= config.bin %> sev ack', '<%= config.bin %> sev ack 1042', '<%= config.bin %> sev ack --undo']

  input({ args, flags }: Parsed<typeof SevAck>): InputOf<typeof operation> {
    return defined({ incident: args.incident === undefined ? undefined : incidentNumber(args.incident), isAllMine: flags['all-mine'] })
  }

  render(data: OutputOf<typeof operation>, view: View): string {
    return renderActed(data, view)
  }

  override async run(): Promise<void> {
    const parsed = await this.start(SevAck)
    if (parsed.flags.undo) {
      const { incident } = this.input(parsed)
      const done = await this.change(unack, defined({ incident }), parsed.flags as never)
      if (done) await this.answer(this.dottedId, done.data, renderActed, done.warnings)
      return
    }
    const done = await this.change(operation, this.input(parsed), parsed.flags as never)
    if (done) await this.answer(this.dottedId, done.data, (data, view) => this.render(data, view), done.warnings)
  }
}
