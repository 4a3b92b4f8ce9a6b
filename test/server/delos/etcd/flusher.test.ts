import { expect, test } from 'vitest'
import { createFlusher, type Flushable } from '../../../../src/server/delos/etcd/flusher.ts'

const MIB = 1_048_576

test('many connections with long answers share the bytes of a turn; short ones wait for no other, and each has its turn', () => {
  let due: (() => void)[] = []
  const schedule = createFlusher((work) => due.push(work))
  let written: string[] = []
  const connection = (name: string, outputBytes: number, parts: number): Flushable => {
    let left = parts
    const one: Flushable = {
      isScheduled: false,
      outputBytes,
      flush: () => {
        one.isScheduled = false
        written.push(name)
        left -= 1
        if (left > 0) schedule(one)
      },
    }
    schedule(one)
    return one
  }
  const long = Array.from({ length: 12 }, (_, i) => connection(`long ${i}`, MIB / 8, 2))
  connection('short', 1000, 1)
  const turns: string[][] = []
  while (due.length > 0) {
    const now = due
    due = []
    // Asked for once, whoever asks.
    expect(now).toHaveLength(1)
    written = []
    for (const work of now) work()
    turns.push(written)
  }
  expect(turns[0]).toEqual(['long 0', 'long 1', 'long 2', 'long 3', 'short'])
  expect(turns.map((turn) => turn.filter((name) => name !== 'short').length)).toEqual([4, 4, 4, 4, 4, 4])
  expect(
    turns
      .slice(0, 3)
      .flat()
      .filter((name) => name !== 'short'),
  ).toEqual(long.map((_, i) => `long ${i}`))
})
