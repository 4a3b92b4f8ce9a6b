import { defined, Flags, QueryCommand, remote, type InputOf, type OutputOf, type Parsed, type View } from '../../cli/command.ts'
import { renderOnCall } from '../../cli/render/sev-oncall.ts'
import { timeOf } from '../../cli/flags/time.ts'

const operation = remote('sev.oncall', async () => (await import('../../core/sev/operations.ts')).oncall)

export default class SevOncall extends QueryCommand<typeof operation> {
  static override operation = operation
  static override summary = 'Who is on call, until when, then who.'
  static override flags = {
    at: Flags.string({ description: 'at another time', helpValue: 'TIME' }),
    team: Flags.string({ description: 'only this team' }),
  }
  static override examples = ['<%= config.bin %> sev oncall', '<%= config.bin %> sev oncall --team web --at 2026-12-24T20:00Z']

  input({ flags }: Parsed<typeof SevOncall>): InputOf<typeof operation> {
    return defined({ at: flags.at === undefined ? undefined : timeOf(flags.at), team: flags.team })
  }

  render(data: OutputOf<typeof operation>, view: View): string {
    return renderOnCall(data, view)
  }
}
