import { createHash } from 'node:crypto'
import type { z } from 'zod'
import type { ActionDef } from '../../core/contracts/operation.ts'
import { canonicalJson } from '../../core/kernel/json.ts'
import { refuse } from '../../core/kernel/errors.ts'
import { scubaLeafAside, scubaLeafAsideSettle } from '../../core/scuba/operations/aside.ts'
import { scubaArtefactList, scubaCache } from '../../core/scuba/operations/asking.ts'
import { scubaQuarantineDrop, scubaQuarantineReplay } from '../../core/scuba/operations/quarantine.ts'
import { incidentRow } from '../../core/sev/queries.ts'
import type { RegistrySoft } from '../../core/scuba/observed.ts'
import { scubaErase, scubaHoldPut, scubaRetentionShow } from '../../core/scuba/operations/retention.ts'
import { scubaReceiptList, type ReceiptList } from '../../core/scuba/operations/receipts.ts'
import { scubaCompact, scubaSegmentList, scubaVerify } from '../../core/scuba/operations/segments.ts'
import { scubaColumnList } from '../../core/scuba/operations/tables.ts'
import { REGISTRY } from '../../core/scuba/registry-controller.ts'
import { SHARDS } from '../../core/scuba/shards/controller.ts'
import { SOFT_OPERATIONS } from '../../core/scuba/registry-operations.ts'
import { addColumns, addRetention } from '../../core/scuba/shards/add-tables.ts'
import { newestReceipts } from '../../core/scuba/shards/newest-receipts.ts'
import { storedTable } from '../../core/scuba/registry-state.ts'
import { quarantineSql, type QuarantineSelection } from '../../core/scuba/quarantine.ts'
import type { PlainValue } from '../../core/scuba/wire-types.ts'
import type { ActionContext, ServerHost, Wiring } from '../host.ts'
import type { DoOptions, ScubaClient } from './client.ts'
import { doEverywhere, type AllLeaves, type Together } from './do-everywhere.ts'
import { joinLeaf } from './join-leaf.ts'
import { listLeaves } from './leaf-list.ts'
import { listQuotas } from './quota-list.ts'
import { createRegistryKeeper, type RegistryKeeper } from './registry-keeper.ts'

/** A long look at the disk, or a rewriting of many segments. */
const PATIENCE_MS = 3_600_000
/** To look at what is there. */
const SHOW_PATIENCE_MS = 30_000

/** What is asked of tables as such: by entries from the log to the leaf, by deeds of the leaf at once, and back by what it has seen. */
export function wireRegistry(
  host: ServerHost,
  client: ScubaClient,
): Required<Pick<Wiring, 'soft' | 'operationSoft' | 'actions' | 'plannedActions'>> & {
  start: () => Promise<void>
  stop: () => Promise<void>
} {
  const keeper = createRegistryKeeper(host, client)
  const all: AllLeaves = { client, own: () => keeper.soft().leaf, peers: keeper.peers }
  const askAll =
    (operation: ActionDef, together?: Together, patienceMs = PATIENCE_MS) =>
    (input: unknown, { actor, signal }: ActionContext): Promise<Readonly<Record<string, unknown>>> =>
      doEverywhere(all, operation, input, { by: actor, signal, patienceMs }, together)
  const show = (operation: ActionDef, together?: Together) => [operation.name, askAll(operation, together, SHOW_PATIENCE_MS)] as const
  return {
    soft: { [REGISTRY]: keeper.soft, [SHARDS]: keeper.soft },
    operationSoft: {
      ...Object.fromEntries(SOFT_OPERATIONS.map((name) => [name, keeper.soft])),
      [scubaHoldPut.name]: (): RegistrySoft => ({ ...keeper.soft(), incidentTitle: (sev) => incidentRow(host.db, sev)?.title ?? null }),
    },
    actions: {
      'scuba.table.show': async ({ table }: { table: string }) => {
        const stored = storedTable(host.db, table)
        return { ...(await client.table(table)), declaration: stored?.declaration ?? null, version: stored?.version ?? 0 }
      },
      ...Object.fromEntries([
        show(scubaColumnList, { add: addColumns }),
        show(scubaRetentionShow, { add: addRetention }),
        show(scubaSegmentList, { listed: 'segments' }),
        show(scubaArtefactList, { listed: 'artefacts' }),
        show(scubaCache),
      ]),
      'scuba.receipt.list': async (input: { limit: number }, context: ActionContext) => {
        const found = (await askAll(scubaReceiptList, { listed: 'receipts' }, SHOW_PATIENCE_MS)(input, context)) as ReceiptList
        return { ...found, receipts: newestReceipts(found.receipts, input.limit) }
      },
      'scuba.segment.verify': concluding(keeper, askAll(scubaVerify, { listed: 'lost' })),
      'scuba.segment.compact': askAll(scubaCompact),
      [scubaLeafAside.name]: (input: { node: string }) => client.do(scubaLeafAside, onLeaf(host, input), { patienceMs: SHOW_PATIENCE_MS }),
      'scuba.leaf.list': () => listLeaves(host, keeper.soft(), client),
      'scuba.quota.list': () => listQuotas(host.db, keeper.soft(), client),
      'scuba.leaf.join': ({ node }: { node: string }, { actor }: ActionContext) => joinLeaf(host, node, actor),
      'scuba.quarantine.list': (selection: QuarantineSelection) => listQuarantine(client, selection),
      'scuba.quarantine.show': (input: QuarantineSelection & { limit: number }) => showQuarantine(client, input),
      'scuba.derived.check': ({ table, sql }: { table: string; sql: string }) => client.checkExpression(table, sql),
    },
    plannedActions: {
      ...Object.fromEntries(
        [scubaErase, scubaQuarantineReplay, scubaQuarantineDrop].map((operation) => [
          operation.name,
          planned(host, keeper, operation, (input, how) => doEverywhere(all, operation, input, how)),
        ]),
      ),
      [scubaLeafAsideSettle.name]: planned(host, keeper, scubaLeafAsideSettle, (input, how) =>
        client.do(scubaLeafAsideSettle, onLeaf(host, input as z.output<typeof scubaLeafAsideSettle.input>), how),
      ),
    },
    start: keeper.start,
    stop: keeper.stop,
  }
}

/** What the leaf has done becomes entries at once, not with the next look. */
const concluding =
  (keeper: RegistryKeeper, run: (input: unknown, context: ActionContext) => Promise<unknown>) =>
  async (input: unknown, context: ActionContext): Promise<unknown> => {
    const done = await run(input, context)
    await keeper.look()
    return done
  }

/** The same of the leaf that a node runs, or that is called so. @throws NOT_FOUND */
function onLeaf<T extends { node: string }>(host: ServerHost, input: T): T {
  const leaf = host.db.get<{ id: string }>('SELECT id FROM scuba_leaf WHERE node = ? OR id = ?', input.node, input.node)
  if (leaf === undefined) throw refuse('NOT_FOUND', `node ${input.node} runs no leaf`, { hint: 'List them with `muster scuba leaves`.' })
  return { ...input, node: leaf.id }
}

/** A deed of the leaf that can be looked at before: the plan is what it would answer, and is stale when that has changed. */
function planned(
  host: ServerHost,
  keeper: RegistryKeeper,
  operation: ActionDef,
  run: (input: unknown, how: DoOptions) => Promise<object>,
): NonNullable<Wiring['plannedActions']>[string] {
  return async (input, { actor, signal }, { isPlan, apply }) => {
    const how = { by: actor, signal, patienceMs: PATIENCE_MS }
    if (isPlan || apply !== undefined) {
      const would = await run(input, { ...how, isPlan: true })
      const id = createHash('sha256')
        .update(canonicalJson([operation.name, input, would]))
        .digest('hex')
        .slice(0, 16)
      const position = host.position()
      if (isPlan) {
        const changes = [{ table: operation.name, op: 'update' as const, before: null, after: would as Record<string, unknown> }]
        return { value: would, plan: { id: `p${position}-${id}`, position, entries: [], changes } }
      }
      if (apply?.split('-')[1] !== id)
        throw refuse('PLAN_STALE', `what plan ${apply} says is not what would be done now; it would be p${position}-${id}`)
    }
    const value = await run(input, how)
    await keeper.look()
    return { value, plan: null }
  }
}

const tableNames = async (client: ScubaClient): Promise<string[]> => (await client.tables()).map(({ name }) => name)

async function rowsOf(
  client: ScubaClient,
  selection: QuarantineSelection,
  columns: string,
  tail: string,
): Promise<{ rows: PlainValue[][]; missing: string[] }> {
  const asked = quarantineSql(selection, await tableNames(client), columns, tail)
  if (asked === null) return { rows: [], missing: [] }
  const { sql, ...options } = asked
  const { rows, coverage } = await client.query(sql, options)
  return { rows, missing: coverage.missing }
}

async function listQuarantine(client: ScubaClient, selection: QuarantineSelection): Promise<unknown> {
  // The variable part of a reason stands behind a colon: `not JSON: Unexpected token …`.
  const columns = `"table", split_part(reason, ':', 1) AS why, count(*), epoch_ms(min("time")), epoch_ms(max("time")), arg_min(text, "time")`
  const { rows, missing } = await rowsOf(
    client,
    selection,
    columns,
    'GROUP BY "table", why ORDER BY count(*) DESC, "table", why LIMIT 1000',
  )
  return {
    missing,
    reasons: rows.map(([table, reason, lines, firstMs, lastMs, example]) => ({
      ...{ table: String(table), reason: String(reason), lines: Number(lines) },
      ...{ firstMs: Number(firstMs), lastMs: Number(lastMs), example: String(example) },
    })),
  }
}

async function showQuarantine(client: ScubaClient, { limit, ...selection }: QuarantineSelection & { limit: number }): Promise<unknown> {
  const { rows, missing } = await rowsOf(
    client,
    selection,
    'id, epoch_ms("time"), "table", line, reason, text, key',
    `ORDER BY "time" DESC, id LIMIT ${limit}`,
  )
  return {
    missing,
    lines: rows.map(([id, atMs, table, line, reason, text, key]) => ({
      ...{ id: String(id), atMs: Number(atMs), table: String(table), line: Number(line) },
      ...{ reason: String(reason), text: String(text), key: key === null || key === undefined ? null : String(key) },
    })),
  }
}
