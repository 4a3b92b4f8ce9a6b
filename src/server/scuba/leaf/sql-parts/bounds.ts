import { callNode, castNode, textOf, type Node } from '../../../../core/scuba/sql/nodes.ts'
import { readsClock, type Bound } from '../../../../core/scuba/sql/time-bounds.ts'
import type { Params } from '../../../../core/scuba/wire-types.ts'
import type { Engines } from '../engines.ts'
import type { Range } from '../known-parts.ts'
import { only, paramsIn, sqlOf } from './divided.ts'

const KNOWN_MAX = 500
const DEADLINE_MS = 5000
/** moments that are no other each time → µs */
const known = new Map<string, number>()

/**
 * The range of a statement's bounds within that of its question.
 * @param shell a parse tree of any SELECT
 * @returns null where a moment is none: then all is left to the statement itself
 */
export async function rangeOf(
  engines: Engines,
  shell: unknown,
  bounds: readonly Bound[],
  params: Params,
  asked: Range,
): Promise<Range | null> {
  const range = { ...asked }
  const moments = await momentsOf(engines, shell, bounds, params)
  for (const [at, { op }] of bounds.entries()) {
    const us = moments[at]
    if (us === undefined || !Number.isSafeInteger(us)) return null
    if (op === '>=' || op === '>') range.sinceUs = Math.max(range.sinceUs, op === '>' ? us + 1 : us)
    else range.untilUs = Math.min(range.untilUs, op === '<=' ? us + 1 : us)
  }
  return range
}

/** All by one clock: in one statement. */
async function momentsOf(engines: Engines, shell: unknown, bounds: readonly Bound[], params: Params): Promise<number[]> {
  const keys = bounds.map(({ moment }) => (readsClock(moment) ? null : JSON.stringify([textOf(moment), params])))
  const found = keys.map((key) => (key === null ? undefined : known.get(key)))
  if (found.every((us) => us !== undefined)) return found
  const list = bounds.map(({ moment }) => callNode('epoch_us', [castNode(moment, 'TIMESTAMP')]))
  const asked = selectOf(shell, list)
  const sql = await sqlOf(engines, asked)
  const { rows } = await engines.idlest.run({ sql, views: [], params: only(paramsIn(asked), params), deadlineMs: DEADLINE_MS })
  const moments = (rows[0] ?? []).map((us) => (us === null ? NaN : Number(us)))
  if (known.size > KNOWN_MAX) known.clear()
  keys.forEach((key, at) => key !== null && known.set(key, moments[at] ?? NaN))
  return moments
}

/** `SELECT a, b` without a table. */
function selectOf(shell: unknown, list: readonly Node[]): Node {
  const root = shell as Node & { statements: { node: Node }[] }
  const node = {
    ...root.statements[0]?.node,
    ...{ select_list: list, where_clause: null, group_expressions: [], group_sets: [], having: null, modifiers: [] },
    ...{ aggregate_handling: 'STANDARD_HANDLING', from_table: { type: 'EMPTY', alias: '', sample: null } },
  }
  return { ...root, statements: [{ ...root.statements[0], node }] }
}
