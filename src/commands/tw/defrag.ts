import { ChangeCommand, Flags, remote, type InputOf, type OutputOf, type Parsed, type View } from '../../cli/command.ts'
import { renderMoves } from '../../cli/render/tw-moves.ts'
import { MusterError } from '../../core/kernel/errors.ts'
import { parseCpu, parseShare } from '../../core/kernel/units.ts'

const operation = remote('tw.defrag', async () => (await import('../../core/tw/operations.ts')).defrag)

export default class TwDefrag extends ChangeCommand<typeof operation> {
  static override operation = operation
  static override summary = 'Move tasks so that more of the free capacity can be used.'
  static override description = [
    'Each move is an op: it waits for the budget of its group and for the consent of its application (`muster tw op ls`).',
    'Gain is in cores: cpu that was free while memory was used up, and GPUs no usual request could use.',
  ].join('\n')
  static override flags = {
    'max-moves': Flags.string({ description: 'most moves, of all tasks', default: '5%', helpValue: 'SHARE' }),
    'min-gain': Flags.string({ description: 'a move must gain so much', default: '200m', helpValue: 'CPU' }),
  }
  static override examples = ['<%= config.bin %> tw defrag --plan', '<%= config.bin %> tw defrag --max-moves 2% --min-gain 500m --yes']

  input({ flags }: Parsed<typeof TwDefrag>): InputOf<typeof operation> {
    const movesPpm = parseShare(flags['max-moves'] ?? '5%')
    if (movesPpm === null) throw new MusterError('USAGE', `--max-moves ${flags['max-moves']} is not a share such as 5%`)
    const gainMinMilli = parseCpu(flags['min-gain'] ?? '200m')
    if (gainMinMilli === null || gainMinMilli < 1)
      throw new MusterError('USAGE', `--min-gain ${flags['min-gain']} is not an amount of cpu such as 200m`)
    return { movesPpm, gainMinMilli }
  }

  render(data: OutputOf<typeof operation>, view: View): string {
    return renderMoves(view, data)
  }
}
