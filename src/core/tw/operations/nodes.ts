import { z } from 'zod'
import { defineCommand, defineQuery } from '../../contracts/operation.ts'
import type { ReadDb } from '../../contracts/storage.ts'
import { must } from '../../kernel/assert.ts'
import { refuse } from '../../kernel/errors.ts'
import { drainFinished, drainStarted, nodeIdentitySchema, nodeJoined, nodeSet } from '../entries/nodes.ts'
import { taskReportSchema, tasksReported } from '../entries/tasks.ts'
import { groupSpecOf, nodeRow, specOf, taskName, type DrainRow, type JobRow, type TaskRow } from '../rows.ts'
import { imageOf } from '../scheduler/fleet.ts'
import { plan } from '../scheduler/planner.ts'
import { liveOnNode } from '../tasks/read.ts'
import { isJoined, nodesView } from '../views/nodes.ts'
import { tasksBySelector } from '../views/tasks.ts'
import { nodeSchema, taskSchema } from './schemas.ts'

const unknownNode = (node: string) => refuse('TW_NODE_UNKNOWN', `there is no node ${node}`)

export const nodeJoin = defineCommand({
  name: 'tw.node.join',
  summary: 'Introduce the agent of a node.',
  role: 'admin',
  input: z.object({
    identity: nodeIdentitySchema,
  }),
  output: z.object({ node: z.string() }),
  decide: (db, { identity }) => {
    return { entries: isJoined(db, identity) ? [] : [nodeJoined.of(identity)], reply: () => ({ node: identity.node }) }
  },
})

export const tasksReport = defineCommand({
  name: 'tw.tasks.report',
  summary: 'Say what an agent saw of its tasks, where it is news.',
  role: 'admin',
  input: z.object({
    node: z.string(),
    bootId: z.string(),
    instance: z.int().optional(),
    seq: z.int().optional(),
    tasks: z.array(taskReportSchema),
  }),
  output: z.object({ tasks: z.int() }),
  decide: (db, input) => {
    if (!nodeRow(db, input.node)) return unknownNode(input.node)
    return { entries: input.tasks.length === 0 ? [] : [tasksReported.of(input)], reply: () => ({ tasks: input.tasks.length }) }
  },
})

export const nodeList = defineQuery({
  name: 'tw.node.list',
  summary: 'List the nodes.',
  input: z.object({
    isLost: z.boolean().optional(),
    region: z.string().optional(),
    /** `ZONE/RACK` */
    rack: z.string().optional(),
    /** the last name of the page before */
    after: z.string().default(''),
    limit: z.int().min(1).max(10_000).default(1000),
  }),
  output: z.array(nodeSchema),
  answer: (db, input) => nodesView(db, undefined, input),
})

export const nodeShow = defineQuery({
  name: 'tw.node.show',
  summary: 'Show a node and what runs there.',
  input: z.object({ node: z.string() }),
  output: z.object({
    node: nodeSchema,
    tasks: z.array(taskSchema),
    drain: z
      .object({
        reason: z.string(),
        author: z.string(),
        startedAtMs: z.number(),
        deadlineAtMs: z.number().nullable(),
        finishedAtMs: z.number().nullable(),
      })
      .nullable(),
  }),
  answer: (db, input) => {
    const [node] = nodesView(db, undefined, { name: input.node })
    if (!node) return unknownNode(input.node)
    const drain = db.get<DrainRow>('SELECT * FROM tw_drain WHERE node = ?', input.node)
    return {
      node,
      tasks: tasksBySelector(db, { node: input.node }),
      drain: drain
        ? {
            reason: drain.reason,
            author: drain.author,
            startedAtMs: drain.started_at,
            deadlineAtMs: drain.deadline_at,
            finishedAtMs: drain.finished_at,
          }
        : null,
    }
  },
})

export const nodeCordon = defineCommand({
  name: 'tw.node.cordon',
  summary: 'Let a node take nothing new; what runs there stays.',
  input: z.object({ node: z.string(), reason: z.string().default('') }),
  output: z.object({ node: z.string(), isChanged: z.boolean() }),
  decide: (db, input) => setCordon(db, input.node, true, input.reason),
})

export const nodeUncordon = defineCommand({
  name: 'tw.node.uncordon',
  summary: 'Let a node take tasks again.',
  input: z.object({ node: z.string(), reason: z.string().default('') }),
  output: z.object({ node: z.string(), isChanged: z.boolean() }),
  decide: (db, input) => {
    const drain = db.get<DrainRow>('SELECT * FROM tw_drain WHERE node = ? AND finished_at IS NULL', input.node)
    if (drain)
      return refuse('TW_JOB_STATE', `the node ${input.node} is being drained`, {
        hint: `Call the drain off with \`muster tw undrain ${input.node}\`.`,
      })
    return setCordon(db, input.node, false, input.reason)
  },
})

function setCordon(db: ReadDb, name: string, isCordoned: boolean, reason: string) {
  const node = nodeRow(db, name)
  if (!node) return unknownNode(name)
  const isChanged = (node.is_cordoned === 1) !== isCordoned
  return { entries: isChanged ? [nodeSet.of({ node: name, isCordoned, reason })] : [], reply: () => ({ node: name, isChanged }) }
}

export const nodeDrain = defineCommand({
  name: 'tw.drain.start',
  summary: 'Move everything off a node, within the budgets of its groups.',
  danger: 'medium',
  input: z.object({
    node: z.string(),
    /** what is left by then is stopped without regard for budgets */
    deadlineMs: z.int().min(0).nullable().default(null),
    /** start although not everything fits elsewhere */
    force: z.boolean().default(false),
    reason: z.string().default(''),
  }),
  output: z.object({ node: z.string(), tasks: z.array(z.string()), isChanged: z.boolean() }),
  decide: (db, input) => {
    if (!nodeRow(db, input.node)) return unknownNode(input.node)
    const tasks = tasksOn(db, input.node)
    const reply = (isChanged: boolean) => () => ({ node: input.node, tasks: tasks.map(taskName), isChanged })
    if (db.get('SELECT node FROM tw_drain WHERE node = ? AND finished_at IS NULL', input.node)) return { entries: [], reply: reply(false) }
    const homeless = withoutPlace(db, input.node, tasks)
    if (homeless.length > 0 && !input.force) {
      return refuse('TW_DRAIN_WONT_FIT', `no room elsewhere for ${homeless.join(', ')}`, { details: { tasks: homeless } })
    }
    return {
      entries: [drainStarted.of({ node: input.node, deadlineMs: input.deadlineMs, isForced: input.force, reason: input.reason })],
      reply: reply(true),
      ...(homeless.length > 0 ? { warnings: [`no room elsewhere now for ${homeless.join(', ')}`] } : {}),
    }
  },
})

function tasksOn(db: ReadDb, node: string): TaskRow[] {
  const tasks = liveOnNode(db, node).filter((task) => task.want === 'run')
  return tasks.sort((a, b) => (taskKey(a) < taskKey(b) ? -1 : taskKey(a) > taskKey(b) ? 1 : a.idx - b.idx))
}

function taskKey(task: TaskRow): string {
  return `${task.job}/${task.grp}`
}

/** Tasks of services on the node that would find no other place now. */
function withoutPlace(db: ReadDb, node: string, tasks: readonly TaskRow[]): string[] {
  const image = imageOf(db)
  image.setClosed(must(image.indexOf(node), `node ${node}`), 'draining')
  const services = new Set(db.all<Pick<JobRow, 'name'>>("SELECT name FROM tw_job WHERE kind = 'service'").map((job) => job.name))
  return tasks.flatMap((task) => {
    if (!services.has(task.job)) return []
    const group = groupSpecOf(specOf(db, task.job, task.version), task.grp)
    if (!group) return []
    const result = plan(image, {
      job: task.job,
      group,
      indexes: [task.idx],
      standing: { sameVersion: [], group: [], live: [], avoid: new Set() },
    })
    return result.unplaced.length > 0 ? [taskName(task)] : []
  })
}

export const nodeUndrain = defineCommand({
  name: 'tw.drain.cancel',
  summary: 'Call off a drain, or take a drained node back into service.',
  input: z.object({ node: z.string() }),
  output: z.object({ node: z.string(), isChanged: z.boolean() }),
  decide: (db, input) => {
    const node = nodeRow(db, input.node)
    if (!node) return unknownNode(input.node)
    const isChanged = node.is_cordoned === 1 || db.get('SELECT node FROM tw_drain WHERE node = ?', input.node) !== undefined
    return {
      entries: isChanged ? [drainFinished.of({ node: input.node, isComplete: false })] : [],
      reply: () => ({ node: input.node, isChanged }),
    }
  },
})
