import { faultsOf, type LogFault, type LogReading } from '../../core/delos/log/compare.ts'
import type { StoreFlags } from '../flags/store.ts'
import { askEach, type EachAnswer } from './each-server.ts'

export interface Comparison {
  servers: { server: string; head: number; tail: number; read: number; problem: string | null }[]
  /** the first of each server */
  faults: LogFault[]
}

const STEP = 1000
/** Positions of a question: read in seconds, also from a slow disk. */
const ASK_MAX = 20_000

/** Has every server of a store read its log and compares what they read. Rejects with UNAVAILABLE when none answers. */
export async function compareLogs(flags: StoreFlags, from: number, to: number): Promise<Comparison> {
  const servers = new Map<string, Comparison['servers'][number]>()
  const faults = new Map<string, LogFault>()
  const ask = async (first: number, last: number, step: number): Promise<LogReading[]> => {
    const answers = await askEach<LogReading>(flags, 'log/read', { from: first, to: last, step }, undefined)
    for (const answer of answers) note(servers, answer, step === STEP)
    return answers.flatMap(({ server, answer }) => (answer === null ? [] : [{ ...answer, server }]))
  }
  // What no server keeps any more is not asked for.
  const heads = (await ask(1, 1, 1)).map(({ head }) => head)
  const begin = Math.max(from, Math.min(...heads, Number.MAX_SAFE_INTEGER))
  const end = Math.min(to, Math.max(0, ...[...servers.values()].map(({ tail }) => tail - 1)))
  for (let at = begin; at <= end; at += ASK_MAX) {
    for (const fault of faultsOf(await ask(at, Math.min(end, at + ASK_MAX - 1), STEP))) {
      if (faults.has(fault.server)) continue
      // Which of the thousand it is, one by one.
      const closer = fault.from === fault.to ? [fault] : faultsOf(await ask(fault.from, fault.to, 1))
      const [first] = closer.filter(({ server }) => server === fault.server)
      if (first !== undefined) faults.set(fault.server, first)
    }
  }
  return { servers: [...servers.values()], faults: [...faults.values()] }
}

function note(
  servers: Map<string, Comparison['servers'][number]>,
  { server, answer, problem }: EachAnswer<LogReading>,
  isCounted: boolean,
): void {
  const known = servers.get(server) ?? { server, head: 1, tail: 1, read: 0, problem: null }
  const read = (isCounted ? (answer?.stretches ?? []) : []).reduce((sum, { from, to }) => sum + to - from + 1, 0)
  servers.set(server, {
    server,
    head: answer?.head ?? known.head,
    tail: answer?.tail ?? known.tail,
    read: known.read + read,
    problem: problem?.message ?? null,
  })
}
