import { Flags } from '../command.ts'
import { MusterError } from '../../core/kernel/errors.ts'
import { parseCpu, parseShare } from '../../core/kernel/units.ts'

/** What bounds the moves of a round of defragmentation. */
export const MOVE_FLAGS = {
  'max-moves': Flags.string({ description: 'most moves, of all tasks', default: '5%', helpValue: 'SHARE' }),
  'min-gain': Flags.string({ description: 'a move must gain so much', default: '200m', helpValue: 'CPU' }),
}

export function moveLimits(flags: { 'max-moves'?: string | undefined; 'min-gain'?: string | undefined }): {
  movesPpm: number
  gainMinMilli: number
} {
  const movesPpm = parseShare(flags['max-moves'] ?? '5%')
  if (movesPpm === null) throw new MusterError('USAGE', `--max-moves ${flags['max-moves']} is not a share such as 5%`)
  const gainMinMilli = parseCpu(flags['min-gain'] ?? '200m')
  if (gainMinMilli === null || gainMinMilli < 1)
    throw new MusterError('USAGE', `--min-gain ${flags['min-gain']} is not an amount of cpu such as 200m`)
  return { movesPpm, gainMinMilli }
}
