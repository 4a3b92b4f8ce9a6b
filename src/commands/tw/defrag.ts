import { ChangeCommand, remote, type InputOf, type OutputOf, type Parsed, type View } from '../../cli/command.ts'
import { MOVE_FLAGS, moveLimits } from '../../cli/flags/moves.ts'
import { renderDefragSchedule, renderMoves, type DefragShown } from '../../cli/render/tw-moves.ts'

const operation = remote('tw.defrag', async () => (await import('../../core/tw/operations.ts')).defrag)

export default class TwDefrag extends ChangeCommand<typeof operation> {
  static override operation = operation
  static override summary = 'Move tasks so that more of the free capacity can be used.'
  static override description = [
    'Each move is an op: it waits for the budget of its group and for the consent of its application (`muster tw op ls`).',
    'Gain is in cores: cpu that was free while memory was used up, and GPUs no usual request could use.',
    'On a schedule: `muster tw defrag schedule`.',
  ].join('\n')
  static override flags = MOVE_FLAGS
  static override examples = ['<%= config.bin %> tw defrag --plan', '<%= config.bin %> tw defrag --max-moves 2% --min-gain 500m --yes']

  input({ flags }: Parsed<typeof TwDefrag>): InputOf<typeof operation> {
    return moveLimits(flags)
  }

  /** The moves, and when the clock makes the next. */
  protected override async picture(_input: InputOf<typeof operation>, planned: OutputOf<typeof operation>): Promise<string> {
    const { data } = await this.client.call<DefragShown>('tw.defrag.show', {})
    return `${renderMoves(this.view, planned)}\n\n${renderDefragSchedule(this.view, data)}`
  }

  render(data: OutputOf<typeof operation>, view: View): string {
    return renderMoves(view, data)
  }
}
