import { readFileSync } from 'node:fs'
import { bucketColumn, TICK } from '../../src/core/scuba/plan/codes.ts'
import type { NativeSpec } from '../../src/core/scuba/warm/artefact.ts'
import { createLogger } from '../../src/platform/logger.ts'
import { Artefacts } from '../../src/server/scuba/leaf/artefacts/artefacts.ts'
import { panel, query } from '../../src/server/scuba/leaf/ask.ts'
import { Engines } from '../../src/server/scuba/leaf/engines.ts'
import { Store } from '../../src/server/scuba/leaf/store.ts'
import type { MixQuery } from './scuba-mix.ts'

/** Columns of most of the mix. */
const SPEC: NativeSpec = {
  kind: 'native',
  columns: {
    [TICK]: 'BIGINT',
    [bucketColumn('latency_ms')]: 'BIGINT',
    latency_ms: 'DOUBLE',
    sample_rate: 'BIGINT',
    service: 'VARCHAR',
    status: 'BIGINT',
    time: 'TIMESTAMP',
  },
}
const ROUNDS = 5
const DEADLINE_MS = 60_000
const TICKS_A_SECOND = 100

export interface NativeMeasured {
  /** ms of the engine's processor for each question, from segments and from copies */
  asked: { name: string; segmentsMs: number; copiesMs: number }[]
  /** that were copied: as many as fit into the budget */
  rows: number
  rowsShare: number
  buildMs: number
  /** of the segments' */
  bytesShare: number
}

/** Questions of the mix over the columns of {@link SPEC}, and a few that go on from them, in turn from segments and from copies; nothing is known of earlier answers. */
export async function measureNative(dir: string, table: string, mix: readonly MixQuery[], untilMs: number): Promise<NativeMeasured> {
  const log = createLogger(null)
  const store = new Store(dir, log)
  await store.open()
  const engines = new Engines(dir, log)
  store.onDiscard = (paths) => engines.forget(paths)
  engines.start()
  try {
    const artefacts = new Artefacts(store, engines)
    await artefacts.open()
    const cpuMs = (): number => engines.all.reduce((sum, { pid }) => sum + cpuMsOf(pid), 0)
    const before = cpuMs()
    // As if these columns had been asked for all day.
    artefacts.note(table, [SPEC], 1e9, 0)
    await artefacts.round(Date.now())
    const buildMs = cpuMs() - before
    const [built] = artefacts.status().artefacts
    const segments = store.ownSegments(table)
    if (!built) throw new Error('no copy was made')
    const asked: NativeMeasured['asked'] = []
    const ask = async ({ ask: of }: Omit<MixQuery, 'plain'>, isFromCopies: boolean): Promise<{ ms: number; copies: number }> => {
      engines.artefacts = isFromCopies ? artefacts : null
      engines.partials.clear()
      engines.answers.clear()
      const from = cpuMs()
      const { cache } = await ('panel' in of
        ? panel(store, engines, { table, ...of.panel, deadlineMs: DEADLINE_MS })
        : query(store, engines, { ...of.query, deadlineMs: DEADLINE_MS }))
      return { ms: cpuMs() - from, copies: cache.artefacts ?? 0 }
    }
    for (const question of [...mix, ...more(table, untilMs)]) {
      if ((await ask(question, true)).copies === 0) continue
      const best = { segmentsMs: Infinity, copiesMs: Infinity }
      for (let round = 0; round < ROUNDS; round += 1) {
        best.segmentsMs = Math.min(best.segmentsMs, (await ask(question, false)).ms)
        best.copiesMs = Math.min(best.copiesMs, (await ask(question, true)).ms)
      }
      asked.push({ name: question.name, ...best })
    }
    const all = (of: 'bytes' | 'rows'): number => segments.reduce((sum, segment) => sum + segment[of], 0)
    return { asked, rows: built.rows, rowsShare: built.rows / all('rows'), buildMs, bytesShare: built.bytes / all('bytes') }
  } finally {
    engines.stop()
    await store.close()
  }
}

const more = (table: string, untilMs: number): Omit<MixQuery, 'plain'>[] => {
  const range = { sinceMs: untilMs - 86_400_000, untilMs }
  return [
    { name: 'count of errors', ask: { panel: { calc: ['count'], where: 'status >= 500', ...range } } },
    { name: 'sum of latency of one service', ask: { panel: { calc: ['sum:latency_ms'], where: "service = 'ads'", ...range } } },
    {
      name: 'SQL: average and most by service',
      ask: { query: { sql: `SELECT service, avg(latency_ms), max(latency_ms) FROM ${table} GROUP BY 1 ORDER BY 1`, ...range } },
    },
    {
      name: 'SQL: average of slow ones',
      ask: { query: { sql: `SELECT avg(latency_ms), count(*) FROM ${table} WHERE latency_ms > 500 AND status < 400`, ...range } },
    },
  ]
}

/** User and system time of a process so far, all threads. */
function cpuMsOf(pid: number | null): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? []
  return ((Number(fields[11]) + Number(fields[12])) * 1000) / TICKS_A_SECOND
}
