import { setTimeout as sleep } from 'node:timers/promises'
import { ask, base64, endOf, plain, type JsonAnswer, type JsonKv } from './gateway.ts'
import { keyOf, type PairInput, type PairOutput, type Recorded } from './history.ts'

const TIMEOUT_MS = 2500
const PAUSE_MS = 12
/** A pair is written to for so long: short histories are decided soon, whatever is unknown in them. */
const PAIR_MS = 1500
const PAIRS_AT_ONCE = 2

export interface Clients {
  readonly history: readonly Recorded[]
  stop: () => Promise<void>
}

/** `count` clients that read, write, delete and swap, each at its own server while that answers, else at the next. */
export function startClients(urls: readonly string[], count: number): Clients {
  const history: Recorded[] = []
  const startedAt = performance.now()
  let isOver = false
  const run = async (client: number): Promise<void> => {
    let server = client
    const lastSeen = new Map<string, string | null>()
    for (let i = 0; !isOver; i += 1) {
      const epoch = Math.floor((performance.now() - startedAt) / PAIR_MS)
      const pair = `p${epoch}-${Math.floor(Math.random() * PAIRS_AT_ONCE)}`
      const input = choose(`${client}.${i}`, lastSeen.get(pair) ?? null)
      const operation: Recorded = {
        pair,
        input,
        output: null,
        calledAt: performance.now(),
        returnedAt: Infinity,
        revision: 0,
        hasChanged: false,
      }
      history.push(operation)
      const answer = await ask(urls[server % urls.length] as string, ...requestOf(pair, input), TIMEOUT_MS)
      if (answer === null) {
        // It may have been done or not; the next one is asked, and sometimes this one again.
        server += 1
        await sleep(PAUSE_MS * 4)
        continue
      }
      operation.returnedAt = performance.now()
      operation.output = outputOf(pair, input, answer)
      operation.revision = Number(answer.header.revision)
      operation.hasChanged = hasChanged(input, operation.output)
      const [x] = operation.output.before
      if (x !== undefined) lastSeen.set(pair, x)
      if (input.kind === 'swap' && operation.output.isSwapped === true) lastSeen.set(pair, input.value)
      if (server !== client && Math.random() < 0.05) server = client
      await sleep(Math.random() * 2 * PAUSE_MS)
    }
  }
  const running = Array.from({ length: count }, (_, client) => run(client))
  return {
    history,
    stop: async () => {
      isOver = true
      await Promise.all(running)
    },
  }
}

function choose(value: string, lastSeen: string | null): PairInput {
  const dice = Math.random()
  const side = Math.random() < 0.5 ? 0 : 1
  if (dice < 0.4) return { kind: 'get' }
  if (dice < 0.7) return { kind: 'put', side, value }
  if (dice < 0.8) return { kind: 'delete', side }
  return { kind: 'swap', expected: lastSeen, value }
}

function requestOf(pair: string, input: PairInput): [path: string, body: object] {
  const keys = { key: base64(`${pair}/`), range_end: base64(endOf(`${pair}/`)) }
  if (input.kind === 'get') return ['kv/range', keys]
  if (input.kind === 'put') return ['kv/put', { key: base64(keyOf(pair, input.side)), value: base64(input.value), prev_kv: true }]
  if (input.kind === 'delete') return ['kv/deleterange', { key: base64(keyOf(pair, input.side)), prev_kv: true }]
  const x = base64(keyOf(pair, 0))
  const compare =
    input.expected === null
      ? { key: x, target: 'CREATE', result: 'EQUAL', create_revision: '0' }
      : { key: x, target: 'VALUE', result: 'EQUAL', value: base64(input.expected) }
  const put = (side: 0 | 1): object => ({
    request_put: { key: base64(keyOf(pair, side)), value: base64(input.value), prev_kv: true },
  })
  return ['kv/txn', { compare: [compare], success: [put(0), put(1)], failure: [{ request_range: keys }] }]
}

function outputOf(pair: string, input: PairInput, answer: JsonAnswer): PairOutput {
  const valueOf = (kv: JsonKv | undefined): string | null => (kv === undefined ? null : plain(kv.value))
  const both = (kvs: readonly JsonKv[] = []): [string | null, string | null] => {
    const find = (side: 0 | 1): string | null => valueOf(kvs.find(({ key }) => plain(key) === keyOf(pair, side)))
    return [find(0), find(1)]
  }
  if (input.kind === 'get') return { before: both(answer.kvs) }
  if (input.kind === 'swap') {
    const [first, second] = answer.responses ?? []
    if (answer.succeeded !== true) return { before: both(first?.response_range?.kvs), isSwapped: false }
    return { before: [valueOf(first?.response_put?.prev_kv), valueOf(second?.response_put?.prev_kv)], isSwapped: true }
  }
  const before = valueOf(input.kind === 'put' ? answer.prev_kv : answer.prev_kvs?.[0])
  return { before: input.side === 0 ? [before] : [undefined, before] }
}

function hasChanged(input: PairInput, output: PairOutput): boolean {
  if (input.kind === 'get') return false
  if (input.kind === 'put') return true
  if (input.kind === 'swap') return output.isSwapped === true
  return output.before.some((value) => value !== undefined && value !== null)
}
