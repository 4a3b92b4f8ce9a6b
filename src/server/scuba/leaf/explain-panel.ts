import { LIMITS } from '../../../core/scuba/limits.ts'
import { growingColumn } from '../../../core/scuba/plan/growth.ts'
import type { ExplainAnswer, PanelRequest } from '../../../core/scuba/wire-types.ts'
import { ask, gatheringOf, type Asking } from './ask-panel.ts'
import { tableOf } from './explain.ts'
import type { Exploring } from './explore.ts'
import { foreseen } from './gather.ts'

/** What a panel reads of this leaf's files, what is known of it already, and what was built ahead and stands in for rows. */
export async function explainPanel({ store, engines, signal }: Exploring, request: PanelRequest): Promise<ExplainAnswer> {
  const asking = await ask(store, engines, request, signal)
  try {
    const { plan, table, columns, tier } = asking
    const gathering = gatheringOf(engines, asking, { isWhole: false, hits: 0, misses: 0 })
    // The round that looks at the most: of the groups that are shown, more may be asked behind it.
    const round = plan.by.length === 0 ? 'all' : plan.stepMs === null ? 'best' : 'few'
    const nothing = { missing: table.files, rollups: [], copies: 0 }
    const { missing, rollups, copies } = tier === 'A' ? await foreseen(gathering, round) : nothing
    const standIns = new Map<string, Set<string>>()
    for (const { words, files } of rollups) {
      const of = standIns.get(words) ?? new Set()
      for (const { path } of files) of.add(path)
      standIns.set(words, of)
    }
    const served = new Set([...standIns.values()].flatMap((paths) => [...paths]))
    const cells = missing.reduce((sum, { path, rows }) => (served.has(path) ? sum : sum + rows * columns.length), 0)
    return {
      tier,
      why: tier === 'A' ? null : whyAllRows(asking),
      tables: [tableOf(table, columns, table.files, table.files.length - missing.length)],
      cells,
      cellsMax: LIMITS.cellsMax,
      artefacts: [
        ...[...standIns].map(([words, { size }]) => `rollup of ${table.name} by ${words}, for ${size} of ${table.files.length} files`),
        ...(copies > 0 ? [`native copies of ${copies} segments of ${table.name}`] : []),
      ],
      isCached: false,
      estimatedMs: engines.msPerCell === null ? null : Math.round(engines.msPerCell * cells),
      analyzed: null,
    }
  } finally {
    asking.reading.end()
  }
}

function whyAllRows({ plan, isFileByFile }: Asking): string {
  if (growingColumn(plan) !== null && isFileByFile)
    return 'how much counters grew is put together from parts of files only where the samples of each series lie one behind the other'
  return 'a calculation, or a condition with a SELECT of its own, looks at all rows together'
}
