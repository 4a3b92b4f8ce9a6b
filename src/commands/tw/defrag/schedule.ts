import { ChangeCommand, Flags, remote, type InputOf, type OutputOf, type Parsed, type View } from '../../../cli/command.ts'
import { MOVE_FLAGS, moveLimits } from '../../../cli/flags/moves.ts'
import { durationFlag } from '../../../cli/flags/time.ts'
import { zoneFlag } from '../../../cli/flags/zone.ts'
import { renderDefragSchedule } from '../../../cli/render/tw-moves.ts'
import { MusterError } from '../../../core/kernel/errors.ts'

const operation = remote('tw.defrag.schedule', async () => (await import('../../../core/tw/operations.ts')).defragSchedule)

export default class TwDefragSchedule extends ChangeCommand<typeof operation> {
  static override operation = operation
  static override summary = 'Defragment the fleet by a schedule, or by hand alone.'
  static override description = [
    'Each time a window opens, the moves that gain something are proposed, as `muster tw defrag` would. They wait for the budgets of their',
    'groups and for their applications; what has not begun when the window closes is given up. A window no server was there for is left out.',
  ].join('\n')
  static override flags = {
    window: Flags.string({
      description: 'when: FREQ, INTERVAL, BYDAY, BYMONTHDAY, BYHOUR, BYMINUTE',
      helpValue: 'RRULE',
      exclusive: ['off'],
    }),
    length: Flags.string({ description: 'how long a window is open', default: '2h' }),
    tz: Flags.string({ description: 'time zone of the window', default: 'UTC' }),
    ...MOVE_FLAGS,
    off: Flags.boolean({ description: 'by hand alone' }),
  }
  static override examples = [
    '<%= config.bin %> tw defrag schedule --window "FREQ=DAILY;BYHOUR=3" --tz Europe/Berlin --max-moves 2% --yes',
    '<%= config.bin %> tw defrag schedule --off --yes',
  ]

  input({ flags }: Parsed<typeof TwDefragSchedule>): InputOf<typeof operation> {
    if (flags.window === undefined && !flags.off)
      throw new MusterError('USAGE', 'Neither --window nor --off is given.', {
        hint: 'Say when with --window "FREQ=DAILY;BYHOUR=3", or end it with --off; `muster tw defrag show` shows what there is.',
      })
    const windowMs = durationFlag('length', flags.length ?? '2h', 60_000)
    return { window: flags.window ?? null, windowMs, zone: zoneFlag(flags.tz ?? 'UTC'), ...moveLimits(flags) }
  }

  render(data: OutputOf<typeof operation>, view: View): string {
    return renderDefragSchedule(view, data)
  }
}
