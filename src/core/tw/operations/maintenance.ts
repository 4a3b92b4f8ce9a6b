import { z } from 'zod'
import { defineCommand, defineQuery } from '../../contracts/operation.ts'
import type { ReadDb } from '../../contracts/storage.ts'
import { isRefusal, type MusterError, refuse } from '../../kernel/errors.ts'
import { abortEntries } from '../controllers/maintainer.ts'
import { maintenanceExtended, maintenanceScheduled } from '../entries/maintenance.ts'
import { domainOf } from '../maintenance/domain.ts'
import { parseRecurrence } from '../maintenance/rrule.ts'
import {
  DOMAIN_LEVELS,
  isOver,
  MAINTENANCE_KINDS,
  maintenanceRow,
  WORK_STATES,
  workRows,
  type MaintenanceRow,
} from '../maintenance/rows.ts'
import { nodesOfTarget } from '../nodes/node-target.ts'
import { maintenanceView } from '../views/maintenance.ts'

const workSchema = z.object({
  node: z.string(),
  domain: z.string(),
  state: z.enum(WORK_STATES),
  sinceMs: z.number(),
  startedAtMs: z.number().nullable(),
  deadlineAtMs: z.number().nullable(),
  isOverdue: z.boolean(),
  waitsFor: z.string(),
  /** tasks that are still there while it is drained */
  left: z.array(z.object({ task: z.string(), node: z.string(), waitsFor: z.string(), code: z.string().nullable() })),
  exitCode: z.int().nullable(),
  output: z.string(),
})

const maintenanceSchema = z.object({
  maintenance: z.int(),
  kind: z.enum(MAINTENANCE_KINDS),
  target: z.string(),
  state: z.enum(['scheduled', 'finished', 'aborted']),
  isOverdue: z.boolean(),
  command: z.array(z.string()).nullable(),
  window: z.string().nullable(),
  windowMs: z.int(),
  zone: z.string(),
  level: z.enum(DOMAIN_LEVELS),
  maxConcurrent: z.int(),
  deadlineMs: z.int().nullable(),
  isHard: z.boolean(),
  note: z.string(),
  author: z.string(),
  createdAtMs: z.number(),
  endedAtMs: z.number().nullable(),
  works: z.array(workSchema),
})

export const maintenanceCreate = defineCommand({
  name: 'tw.maintenance.create',
  summary: 'Plan work on nodes: one domain at a time, in its windows, drained first and given back after.',
  danger: 'medium',
  input: z.object({
    /** nodes, or `rack:R`, `zone:Z`, `region:R`, `label:K=V` */
    targets: z.array(z.string()).min(1),
    kind: z.enum(MAINTENANCE_KINDS),
    command: z.array(z.string()).min(1).nullable().default(null),
    commandTimeoutMs: z.int().min(1000).max(3_600_000).default(600_000),
    window: z.string().nullable().default(null),
    windowMs: z.int().min(60_000).default(7_200_000),
    zone: z.string().default('UTC'),
    level: z.enum(DOMAIN_LEVELS).default('rack'),
    maxConcurrent: z.int().min(1).max(10_000).default(1),
    deadlineMs: z.int().min(1000).nullable().default(null),
    isHard: z.boolean().default(false),
    note: z.string().default(''),
  }),
  output: z.object({ maintenance: z.int(), nodes: z.array(z.string()) }),
  decide: (db, input) => {
    const problem = inputProblem(input)
    if (problem) return problem
    const nodes = new Set<string>()
    for (const target of input.targets) {
      const found = nodesOfTarget(db, target)
      if (isRefusal(found)) return found
      for (const node of found) nodes.add(node)
    }
    const { targets, ...rest } = input
    const works = [...nodes].sort().map((node) => ({ node, domain: domainOf(db, node, input.level) }))
    return {
      entries: [maintenanceScheduled.of({ ...rest, target: targets.join(', '), works })],
      reply: (after) => ({ maintenance: latest(after), nodes: works.map((work) => work.node) }),
    }
  },
})

function inputProblem(input: {
  kind: string
  command: string[] | null
  window: string | null
  isHard: boolean
  deadlineMs: number | null
}): MusterError | null {
  if ((input.kind === 'command') !== (input.command !== null)) return refuse('USAGE', 'a command is for kind command, which has one')
  if (input.isHard && input.deadlineMs === null) return refuse('USAGE', 'a hard maintenance has a deadline')
  const rule = input.window === null ? null : parseRecurrence(input.window)
  return typeof rule === 'string' ? refuse('USAGE', `the window is not valid: ${rule}`) : null
}

function latest(db: ReadDb): number {
  return db.get<{ id: number }>('SELECT max(id) AS id FROM tw_maintenance')?.id ?? 0
}

export const maintenanceList = defineQuery({
  name: 'tw.maintenance.list',
  summary: 'List planned work on nodes, and what each node waits for.',
  input: z.object({ isAll: z.boolean().optional() }),
  output: z.array(maintenanceSchema),
  answer: (db, input, ctx) => {
    const rows = db.all<MaintenanceRow>('SELECT * FROM tw_maintenance ORDER BY id')
    return rows.filter((row) => input.isAll || row.state === 'scheduled').map((row) => maintenanceView(db, row, ctx.now))
  },
})

export const maintenanceShow = defineQuery({
  name: 'tw.maintenance.show',
  summary: 'Show planned work: its nodes, what they wait for, and what its command said.',
  input: z.object({ maintenance: z.int() }),
  output: maintenanceSchema,
  answer: (db, input, ctx) => {
    const row = maintenanceRow(db, input.maintenance)
    return row ? maintenanceView(db, row, ctx.now) : unknown(input.maintenance)
  },
})

function unknown(id: number): MusterError {
  return refuse('TW_MAINTENANCE_UNKNOWN', `there is no maintenance ${id}`)
}

function openOne(db: ReadDb, id: number): MaintenanceRow | MusterError {
  const row = maintenanceRow(db, id)
  if (!row) return unknown(id)
  return row.state === 'scheduled' ? row : refuse('TW_JOB_STATE', `maintenance ${id} is ${row.state}`)
}

export const maintenanceExtend = defineCommand({
  name: 'tw.maintenance.extend',
  summary: 'Give planned work more time.',
  input: z.object({ maintenance: z.int(), byMs: z.int().min(1000), note: z.string().default('') }),
  output: z.object({ maintenance: z.int() }),
  decide: (db, input) => {
    const row = openOne(db, input.maintenance)
    if (isRefusal(row)) return row
    if (row.deadline_ms === null) return refuse('TW_JOB_STATE', `maintenance ${row.id} has no deadline to be extended`)
    return {
      entries: [maintenanceExtended.of({ maintenance: row.id, byMs: input.byMs, note: input.note })],
      reply: () => ({ maintenance: row.id }),
    }
  },
})

export const maintenanceAbort = defineCommand({
  name: 'tw.maintenance.abort',
  summary: 'Give planned work up: drains are called off, and what somebody works on stays out of service.',
  danger: 'medium',
  input: z.object({ maintenance: z.int(), note: z.string().default('') }),
  output: z.object({ maintenance: z.int(), given: z.array(z.string()), kept: z.array(z.string()) }),
  decide: (db, input, ctx) => {
    const row = openOne(db, input.maintenance)
    if (isRefusal(row)) return row
    const works = workRows(db, row.id).filter((work) => !isOver(work))
    const kept = works.filter((work) => ['ready', 'working', 'verifying'].includes(work.state)).map((work) => work.node)
    const why = `by ${ctx.actor}${input.note === '' ? '' : `: ${input.note}`}`
    return {
      entries: abortEntries(db, row, works, why),
      reply: () => ({ maintenance: row.id, given: works.map((work) => work.node).filter((node) => !kept.includes(node)), kept }),
      ...(kept.length > 0 ? { warnings: [`${kept.join(', ')} stay cordoned: give them back with \`muster tw undrain\``] } : {}),
    }
  },
})
