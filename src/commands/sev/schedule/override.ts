import { Args, ChangeCommand, defined, Flags, remote, type InputOf, type OutputOf, type Parsed } from '../../../cli/command.ts'
import { timeOf } from '../../../cli/flags/time.ts'

const operation = remote('sev.override.set', async () => (await import('../../../core/sev/operations.ts')).overrideSet)

export default class SevScheduleOverride extends ChangeCommand<typeof operation> {
  static override operation = operation
  static override summary = 'Put somebody on call for a time, take them off, or let somebody take over.'
  static override args = {
    schedule: Args.string({ description: 'the schedule', required: true }),
    user: Args.string({ description: 'who is added, removed or replaced', required: true }),
  }
  static override flags = {
    from: Flags.string({ description: 'from when; now by default', helpValue: 'TIME' }),
    to: Flags.string({ description: 'until when', helpValue: 'TIME', required: true }),
    by: Flags.string({ description: 'who takes over' }),
    remove: Flags.boolean({ description: 'take them off without a replacement', exclusive: ['by'] }),
    why: Flags.string({ description: 'the reason' }),
  }
  static override examples = ['<%= config.bin %> sev schedule override web-primary anna --by ben --to 2026-12-24T18:00Z --why holiday']

  input({ args, flags }: Parsed<typeof SevScheduleOverride>): InputOf<typeof operation> {
    const kind = flags.remove ? 'remove' : flags.by === undefined ? 'add' : 'replace'
    const from = flags.from === undefined ? Date.now() : timeOf(flags.from)
    return { schedule: args.schedule, kind, user: args.user, from, to: timeOf(flags.to), ...defined({ by: flags.by, why: flags.why }) }
  }

  render(data: OutputOf<typeof operation>): string {
    return `override #${data.id} is set`
  }
}
