import { Args, ChangeCommand, defined, Flags, remote, type InputOf, type OutputOf, type Parsed, type View } from '../../cli/command.ts'
import { renderActed } from '../../cli/render/sev.ts'
import { incidentNumber } from '../../cli/flags/incident-number.ts'
import { MusterError } from '../../core/kernel/errors.ts'

const operation = remote('sev.incident.level', async () => (await import('../../core/sev/operations.ts')).incidentLevel)

export default class SevLevel extends ChangeCommand<typeof operation> {
  static override operation = operation
  static override summary = 'Change the level of an incident; raising it pages again.'
  static override args = {
    first: Args.string({ name: 'N', description: 'number of the incident; left out: your only open one', required: true }),
    second: Args.string({ name: 'LEVEL', description: '1 to 4' }),
  }
  static override flags = { why: Flags.string({ description: 'the reason; needed to lower it' }) }
  static override examples = ['<%= config.bin %> sev level 1042 1', '<%= config.bin %> sev level 4 --why "one user"']

  input({ args, flags }: Parsed<typeof SevLevel>): InputOf<typeof operation> {
    const wanted = Number((args.second ?? args.first).replace(/^sev/i, ''))
    const level = ([1, 2, 3, 4] as const).find((candidate) => candidate === wanted)
    if (level === undefined) throw new MusterError('USAGE', `"${args.second ?? args.first}" is not a level from 1 to 4`)
    return { level, ...defined({ incident: args.second === undefined ? undefined : incidentNumber(args.first), why: flags.why }) }
  }

  render(data: OutputOf<typeof operation>, view: View): string {
    return renderActed(data, view)
  }
}
