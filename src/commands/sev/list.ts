import { defined, Flags, WatchQueryCommand, remote, type InputOf, type OutputOf, type Parsed, type View } from '../../cli/command.ts'
import { renderIncidents } from '../../cli/render/sev.ts'

const operation = remote('sev.incident.list', async () => (await import('../../core/sev/operations.ts')).incidentList)

export default class SevList extends WatchQueryCommand<typeof operation> {
  static override operation = operation
  static override watches = ['sev.']
  static override summary = 'List incidents: level, age, when an answer is due.'
  static override flags = {
    open: Flags.boolean({ description: 'only open ones (the default)', exclusive: ['all'] }),
    all: Flags.boolean({ char: 'a', description: 'past ones too' }),
    mine: Flags.boolean({ description: 'only those you were paged for' }),
    sev: Flags.string({ description: 'only these levels', helpValue: '1,2' }),
    service: Flags.string({ description: 'only this service' }),
  }
  static override examples = ['<%= config.bin %> sev list', '<%= config.bin %> sev list --all --sev 1,2']

  input({ flags }: Parsed<typeof SevList>): InputOf<typeof operation> {
    return defined({ isAll: flags.all, isMine: flags.mine, levels: flags.sev, service: flags.service })
  }

  render(data: OutputOf<typeof operation>, view: View): string {
    return renderIncidents(data, view)
  }
}
