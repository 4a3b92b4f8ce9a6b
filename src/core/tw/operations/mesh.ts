import { z } from 'zod'
import { defineCommand, defineQuery } from '../../contracts/operation.ts'
import type { ReadDb } from '../../contracts/storage.ts'
import { refuse } from '../../kernel/errors.ts'
import { faultRuleSet, meshFaultSchema, splitBodySchema, splitSet } from '../entries/mesh.ts'
import type { MeshFaultRow, MeshServiceRow, MeshSplitRow } from '../rows.ts'
import { fromJson } from '../rows.ts'
import { endpointsOf, splitStatus } from '../views/mesh-snapshot.ts'

const SHARES_SUM = 1_000_000
const SUBSETS_MAX = 8
/** Longest a fault may be set for at once; chaos renews what it still wants. */
const FAULT_MS_MAX = 3_600_000

const unknownService = (service: string) => refuse('MESH_SERVICE_UNKNOWN', `there is no service ${service}`)

function serviceRow(db: ReadDb, service: string): MeshServiceRow | undefined {
  return db.get<MeshServiceRow>('SELECT * FROM tw_mesh_service WHERE name = ?', service)
}

export const meshSplitSet = defineCommand({
  name: 'tw.mesh.split.set',
  summary: 'Divide the traffic of a service between versions.',
  input: splitBodySchema,
  output: z.object({ service: z.string(), epoch: z.int(), position: z.int() }),
  decide: (db, input, ctx) => {
    if (!serviceRow(db, input.service)) return unknownService(input.service)
    const shares = Object.values(input.shares)
    const sum = shares.reduce((total, share) => total + share, 0)
    if (shares.length > 0 && sum !== SHARES_SUM) return refuse('MESH_SPEC_INVALID', `the shares add up to ${sum}, not to ${SHARES_SUM}`)
    if (shares.length > SUBSETS_MAX) return refuse('MESH_SPEC_INVALID', `at most ${SUBSETS_MAX} subsets, not ${shares.length}`)
    if (input.sticky !== null && !/^(header|cookie):[\w-]+$/.test(input.sticky))
      return refuse('MESH_SPEC_INVALID', `sticky is \`header:NAME\` or \`cookie:NAME\`, not \`${input.sticky}\``)
    const current = db.get<MeshSplitRow>('SELECT * FROM tw_mesh_split WHERE service = ?', input.service)
    if (current && input.epoch < current.epoch)
      return refuse('MESH_EPOCH_STALE', `the split of ${input.service} is at epoch ${current.epoch}; ${input.epoch} comes too late`)
    return { entries: [splitSet.of(input)], reply: () => ({ service: input.service, epoch: input.epoch, position: ctx.position }) }
  },
})

export const meshFaultSet = defineCommand({
  name: 'tw.mesh.fault.set',
  summary: 'Add and remove chaos rules on a service; each ends at its time by itself.',
  input: z.object({ service: z.string(), add: z.array(meshFaultSchema), remove: z.array(z.string()), reason: z.string() }),
  output: z.object({ service: z.string(), active: z.int() }),
  decide: (db, input, ctx) => {
    if (!serviceRow(db, input.service)) return unknownService(input.service)
    const endless = input.add.find((fault) => fault.untilMs <= ctx.now || fault.untilMs > ctx.now + FAULT_MS_MAX)
    if (endless) return refuse('MESH_SPEC_INVALID', `the fault ${endless.id} must end between now and in an hour`)
    const count = (after: ReadDb): number => after.all('SELECT id FROM tw_mesh_fault WHERE service = ?', input.service).length
    return {
      entries: input.add.length + input.remove.length === 0 ? [] : [faultRuleSet.of(input)],
      reply: (after) => ({ service: input.service, active: count(after) }),
    }
  },
})

const serviceView = z.object({
  service: z.string(),
  job: z.string(),
  group: z.string(),
  protocol: z.enum(['http', 'tcp']),
  endpoints: z.array(
    z.object({ task: z.string(), address: z.string(), port: z.int(), subset: z.string(), node: z.string(), region: z.string() }),
  ),
  /** tasks of the group that get no traffic, and why */
  unused: z.array(z.object({ task: z.string(), why: z.string() })),
  split: z
    .object({ shares: z.record(z.string(), z.int()), epoch: z.int(), position: z.int(), appliedAtMs: z.number().nullable() })
    .nullable(),
  faults: z.array(z.object({ id: z.string(), run: z.string(), kind: z.string(), untilMs: z.number() })),
})

function viewOf(db: ReadDb, row: MeshServiceRow): z.input<typeof serviceView> {
  const { endpoints, unused } = endpointsOf(db, row)
  return {
    service: row.name,
    job: row.job,
    group: row.grp,
    protocol: row.protocol,
    endpoints: endpoints.map(({ task, address, port, subset, node, region }) => ({ task, address, port, subset, node, region })),
    unused,
    split: splitStatus(db, row.name),
    faults: db
      .all<MeshFaultRow>('SELECT * FROM tw_mesh_fault WHERE service = ? ORDER BY id', row.name)
      .map((fault) => fromJson<{ id: string; run: string; kind: string; untilMs: number }>(fault.body))
      .map(({ id, run, kind, untilMs }) => ({ id, run, kind, untilMs })),
  }
}

export const meshList = defineQuery({
  name: 'tw.mesh.list',
  summary: 'List the services of the mesh.',
  input: z.object({}),
  output: z.array(serviceView),
  answer: (db) => db.all<MeshServiceRow>('SELECT * FROM tw_mesh_service ORDER BY name').map((row) => viewOf(db, row)),
})

export const meshShow = defineQuery({
  name: 'tw.mesh.show',
  summary: 'Show a service: its endpoints, why others are not used, its split.',
  input: z.object({ service: z.string() }),
  output: serviceView,
  answer: (db, input) => {
    const row = serviceRow(db, input.service)
    return row ? viewOf(db, row) : unknownService(input.service)
  },
})
