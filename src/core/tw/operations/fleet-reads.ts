import { z } from 'zod'
import { defineQuery } from '../../contracts/operation.ts'
import { amountsSchema, limitsSchema } from '../entitlements/entries.ts'
import { fleetSummary } from '../views/fleet-summary.ts'

const cellSchema = z.object({
  name: z.string(),
  nodes: z.int(),
  lost: z.int(),
  closed: z.int(),
  tasks: z.int(),
  cpuMilli: z.int(),
  cpuReserved: z.int(),
  memoryBytes: z.int(),
  memoryReserved: z.int(),
})

/** Tasks of a job, or of all: as many as are wanted, and how far they are. */
const taskCounts = {
  wanted: z.int(),
  placed: z.int(),
  running: z.int(),
  healthy: z.int(),
  pending: z.int(),
  leftover: z.int(),
}

export const jobCountsSchema = z.object({
  job: z.string(),
  kind: z.enum(['service', 'batch', 'system', 'sysbatch']),
  priority: z.int(),
  state: z.enum(['running', 'stopped']),
  version: z.int(),
  owner: z.string().nullable(),
  ...taskCounts,
  restarts: z.int(),
})

export const fleetSummaryQuery = defineQuery({
  name: 'tw.fleet.summary',
  summary: 'Show the fleet at a glance, in an answer of bounded size.',
  input: z.object({
    /** most cells of the heat map */
    cellsMax: z.int().min(1).max(2000).default(600),
    /** most jobs that are listed */
    jobsMax: z.int().min(0).max(1000).default(100),
    /** only jobs with this in their name */
    filter: z.string().max(100).default(''),
  }),
  output: z.object({
    nowMs: z.number(),
    nodes: z.object({ total: z.int(), ready: z.int(), lost: z.int(), closed: z.int() }),
    capacity: z.array(z.object({ dimension: z.enum(['cpu', 'memory']), total: z.int(), reserved: z.int(), stranded: z.int() })),
    tasks: z.object(taskCounts),
    cellOf: z.enum(['node', 'rack', 'racks']),
    regions: z.array(z.object({ region: z.string(), cells: z.array(cellSchema) })),
    jobs: z.array(jobCountsSchema),
    jobsTotal: z.int(),
    pending: z.array(z.object({ group: z.string(), count: z.int(), code: z.string().nullable(), why: z.string() })),
    doing: z.array(
      z.object({
        kind: z.enum(['update', 'drain', 'maintenance', 'upgrade', 'op']),
        target: z.string(),
        text: z.string(),
        sinceMs: z.number(),
      }),
    ),
    hot: z.array(z.object({ node: z.string(), place: z.string(), cpuPpm: z.int(), memoryPpm: z.int(), tasks: z.int() })),
    owners: z.array(
      z.object({
        name: z.string(),
        tasks: z.int(),
        guaranteed: amountsSchema,
        used: amountsSchema,
        quota: limitsSchema.nullable(),
        lacking: z.string().nullable(),
      }),
    ),
  }),
  answer: (db, input, ctx) => fleetSummary(db, input, ctx),
})
