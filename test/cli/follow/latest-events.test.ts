import { expect, test } from 'vitest'
import type { Client, EventOptions, LogEvent } from '../../../src/cli/client.ts'
import { latestEvents } from '../../../src/cli/follow/latest-events.ts'

/** A log of numbered entries, of which every `every`-th is asked for; notes what was read. */
function logOf(length: number, every: number): { client: Client; read: [number, number][] } {
  const read: [number, number][] = []
  async function* events({ from = 0, until = length }: EventOptions): AsyncGenerator<LogEvent> {
    read.push([from, until])
    for (let id = from; id < until; id += 1) if (id % every === 0) yield { id, entry: { position: id } }
  }
  return { client: { events } as unknown as Client, read }
}

const ask = async (client: Client, before: number, count: number) => {
  const wish = { types: ['tw.'], job: undefined, node: undefined }
  const { events, from } = await latestEvents(client, wish, before, count, () => true, new AbortController().signal)
  return { positions: events.map(({ position }) => position), from }
}

test('the last so many that match are found, however rare, and no part of the log is read twice', async () => {
  const { client, read } = logOf(50_000, 1000)
  expect((await ask(client, 50_000, 3)).positions).toEqual([47_000, 48_000, 49_000])
  expect(read.every(([from, until], i) => from < until && until === (read[i - 1]?.[0] ?? 50_000))).toBe(true)
  expect(read.at(-1)?.[0]).toBeGreaterThan(40_000 - 4 * 400 * 4)
})

test('what is frequent costs one look at the end of the log', async () => {
  const { client, read } = logOf(1_000_000, 1)
  expect((await ask(client, 1_000_000, 200)).positions.length).toBe(200)
  expect(read).toEqual([[999_600, 1_000_000]])
})

test('it gives up far back, and says from where on it looked', async () => {
  const { client } = logOf(10_000_000, 20_000_000)
  const { positions, from } = await ask(client, 10_000_000, 5)
  expect(positions).toEqual([])
  expect(from).toBeGreaterThan(8_000_000)
  expect(from).toBeLessThan(9_800_000)
})
