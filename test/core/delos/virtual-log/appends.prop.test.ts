import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  addAppend,
  answerAppend,
  createAppends,
  landAppend,
  openAppends,
  takeAppends,
} from '../../../../src/core/delos/virtual-log/appends.ts'
import { createPrng } from '../../../../src/core/kernel/prng.ts'

test('over sealed segments, failures and lost answers every append lands once and in order', () => {
  fc.assert(
    fc.property(fc.integer(), fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 30 }), (seed, width, count) => {
      const prng = createPrng(seed)
      const appends = createAppends<number>(width)
      const log: number[] = []
      let read = 0
      let loglet = 1
      let isSealed = false
      openAppends(appends, loglet)
      // Tries under way, in order, as a stream to a leader keeps them; what follows a failure on it fails too.
      let stream: number[] = []
      let added = 0
      const answerAll = (): void => {
        let isBroken = false
        for (const seq of stream) {
          if (isSealed) answerAppend(appends, loglet, seq, 'sealed')
          else if (isBroken || prng.next() < 0.2) {
            isBroken = true
            answerAppend(appends, loglet, seq, prng.next() < 0.5 ? 'refused' : 'unknown')
          } else {
            log.push(seq)
            // In the log, and the answer lost: it is read there all the same.
            answerAppend(appends, loglet, seq, prng.next() < 0.8 ? 'taken' : 'unknown')
          }
        }
        stream = []
      }
      for (let step = 0; step < 2000 && (added < count || appends.waiting.size > 0); step += 1) {
        const kind = prng.below(5)
        if (kind === 0 && added < count) {
          added += 1
          addAppend(appends, added, added)
        } else if (kind === 1) for (const { seq } of takeAppends(appends)) stream.push(seq)
        else if (kind === 2) {
          // What is read of the log before the tries are answered.
          for (; read < log.length; read += 1) landAppend(appends, log[read] as number)
          answerAll()
          for (; read < log.length; read += 1) landAppend(appends, log[read] as number)
        } else if (kind === 3 && prng.next() < 0.2) isSealed = true
        else if (isSealed && prng.next() < 0.5) {
          // The end is read, then the next segment opened; late answers of the old one count no more.
          const late = stream
          stream = []
          for (; read < log.length; read += 1) landAppend(appends, log[read] as number)
          openAppends(appends, null)
          isSealed = false
          loglet += 1
          openAppends(appends, loglet)
          for (const seq of late) answerAppend(appends, loglet - 1, seq, 'sealed')
        }
      }
      expect(appends.waiting.size).toBe(0)
      expect(log).toEqual(Array.from({ length: count }, (_, i) => i + 1))
    }),
    { numRuns: 200 },
  )
})
