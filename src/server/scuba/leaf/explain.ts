import { isRefusal } from '../../../core/kernel/errors.ts'
import { LIMITS } from '../../../core/scuba/limits.ts'
import { queryRange } from '../../../core/scuba/plan/range.ts'
import type { ViewFile } from '../../../core/scuba/plan/view.ts'
import { checkSql } from '../../../core/scuba/sql/check.ts'
import { equalitiesOf } from '../../../core/scuba/sql/equalities.ts'
import { readNames } from '../../../core/scuba/sql/expression.ts'
import type { ExplainAnswer, ExplainRequest } from '../../../core/scuba/wire-types.ts'
import { elapsed } from './answering.ts'
import { namesRead, questionOf } from './artefacts/native-copies.ts'
import { query } from './ask.ts'
import type { Exploring } from './explore.ts'
import { knownParts } from './known-parts.ts'
import { readTables, type ReadTable } from './reading.ts'
import { planParts } from './sql-parts/over-parts.ts'

const DEADLINE_MS = 5000

/** What a SELECT reads after pruning, how it is answered and what that costs; with `analyze` it is run, too. */
export async function explain(exploring: Exploring, request: ExplainRequest): Promise<ExplainAnswer> {
  const { store, engines, asker, signal } = exploring
  const { analyze, ...asked } = request
  const tree = await engines.idlest.parse(asked.sql)
  const checked = checkSql(tree, asked.sql, store.tableNames())
  if (isRefusal(checked)) throw checked
  const range = queryRange(asked, Date.now())
  if (isRefusal(range)) throw range
  const { names, hasStar } = readNames(tree)
  const params = asked.params ?? {}
  const equalities = asked.raw === true ? [] : equalitiesOf(tree, params)
  const reading = await readTables(store, checked.tables, range, 'later')
  try {
    const isAlone = store.peers?.isAlone !== false
    const deadlineAtMs = Date.now() + DEADLINE_MS
    const plan =
      asked.raw === true
        ? 'asked for from the rows'
        : await planParts({ engines, tree, reading, range, equalities, params, deadlineAtMs, signal, isAlone })
    const artefacts: string[] = []
    const tables: ExplainAnswer['tables'] = []
    let cells = 0
    for (const table of reading.tables) {
      const columns = Object.keys(table.view.columns).filter((column) => hasStar || names.has(column.toLowerCase()))
      const narrowed = typeof plan === 'string' ? ((await engines.artefacts?.narrow(table, equalities, signal, false)) ?? null) : null
      if (narrowed) artefacts.push(`filter of ${table.name} by ${[...new Set(equalities.map(({ column }) => column))].join(', ')}`)
      const files = typeof plan === 'string' ? (narrowed ?? table.files) : plan.files
      const copies = asked.raw === true || reading.tables.length > 1 ? 0 : copiesFor(exploring, table, tree, files)
      if (copies > 0) artefacts.push(`native copies of ${copies} segments of ${table.name}`)
      if (typeof plan !== 'string') await engines.partials.recall(plan.key, table.view.files)
      const read = typeof plan === 'string' ? files : knownParts(engines.partials, plan).missing
      cells += rowsOf(read) * columns.length
      tables.push(tableOf(table, columns, files, files.length - read.length))
    }
    const started = performance.now()
    const answer = analyze === true ? await query(store, engines, asked, signal, asker) : null
    return {
      tier: typeof plan === 'string' ? 'B' : 'A',
      why: typeof plan === 'string' ? plan : null,
      tables,
      cells,
      cellsMax: LIMITS.cellsMax,
      artefacts,
      isCached: answer?.cache.isWhole ?? false,
      estimatedMs: engines.msPerCell === null ? null : Math.round(engines.msPerCell * cells),
      analyzed: answer && {
        ...{ elapsedMs: elapsed(started), engineMs: answer.engineMs },
        ...{ rows: answer.rows.length, cache: answer.cache, byCopy: answer.coverage.byCopy ?? [] },
      },
    }
  } finally {
    reading.end()
  }
}

function copiesFor({ engines }: Exploring, table: ReadTable, tree: unknown, files: readonly ViewFile[]): number {
  const names = namesRead(tree)
  return names === null ? 0 : (engines.artefacts?.copies.find(questionOf(table, names), files, '').size ?? 0)
}

const rowsOf = (files: readonly ViewFile[]): number => files.reduce((sum, { rows }) => sum + rows, 0)

export function tableOf(
  { name, view }: ReadTable,
  columns: string[],
  files: readonly ViewFile[],
  filesKnown: number,
): ExplainAnswer['tables'][number] {
  const segments = files.filter(({ kind }) => kind === 'segment' || kind === 'away').length
  return {
    ...{ name, columns, files: view.files.length, filesAfterPruning: files.length },
    ...{ segments, chunks: files.length - segments, rows: rowsOf(files), filesKnown },
  }
}
