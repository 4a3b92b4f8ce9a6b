import { Args, defined, Flags, ChangeCommand, remote, type InputOf, type OutputOf, type Parsed, type View } from '../../cli/command.ts'
import { renderActed } from '../../cli/render/sev.ts'
import { incidentNumber } from '../../cli/flags/incident-number.ts'
import { timeOf } from '../../cli/flags/time.ts'

const operation = remote('sev.incident.resolve', async () => (await import('../../core/sev/operations.ts')).incidentResolve)

export default class SevResolve extends ChangeCommand<typeof operation> {
  static override operation = operation
  static override summary = 'Say that the cause is removed; drafts the postmortem.'
  static override args = { incident: Args.string({ description: 'number of the incident; left out: your only open one' }) }
  static override flags = {
    cause: Flags.string({ description: 'why it happened; needed for SEV1 and SEV2 (`unknown` is an answer)' }),
    at: Flags.string({ description: 'when it happened; now by default', helpValue: 'TIME' }),
  }
  static override examples = ['<%= config.bin %> sev resolve 1042 --cause "v3 fails 5 % of requests"']

  input({ args, flags }: Parsed<typeof SevResolve>): InputOf<typeof operation> {
    return defined({
      incident: args.incident === undefined ? undefined : incidentNumber(args.incident),
      cause: flags.cause,
      at: flags.at === undefined ? undefined : timeOf(flags.at),
    })
  }

  render(data: OutputOf<typeof operation>, view: View): string {
    return renderActed(data, view)
  }
}
