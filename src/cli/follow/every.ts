import { pause } from '../../client/pause.ts'
import { MusterError } from '../../core/kernel/errors.ts'
import { parseDuration } from '../../core/kernel/units.ts'

const EVERY_MIN_MS = 100

/** A picture now and again, of what has no entries that could be followed. */
export const watchEvery = {
  everyMs: (text: string): number => {
    const ms = parseDuration(text)
    if (ms === null || ms < EVERY_MIN_MS) throw new MusterError('USAGE', `--every "${text}" is not a time of at least 100ms, such as 2s`)
    return ms
  },

  /** Until the signal is aborted. A picture that fails once is told by the one after; the first that fails ends it. */
  run: async (everyMs: number, signal: AbortSignal, picture: () => Promise<void>): Promise<void> => {
    await picture()
    for (;;) {
      try {
        await pause(everyMs, signal)
      } catch {
        return // interrupted
      }
      try {
        await picture()
      } catch (error) {
        process.stderr.write(`▲ ${(error as Error).message}\n`)
      }
    }
  },

  show: (text: string, data: unknown, { isMachine, isScreen }: { isMachine: boolean; isScreen: boolean }): void => {
    if (isMachine) process.stdout.write(`${JSON.stringify({ type: 'snapshot', data })}\n`)
    else process.stdout.write(isScreen ? `\u001b[H\u001b[2J${text}\n` : `${text}\n\n`)
  },
}
