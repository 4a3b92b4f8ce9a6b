import { z } from 'zod'
import { defineCommand, defineQuery } from '../../contracts/operation.ts'
import type { ReadDb } from '../../contracts/storage.ts'
import { refuse } from '../../kernel/errors.ts'
import { nodeIdentitySchema, nodeJoined, nodeSet } from '../entries/nodes.ts'
import { taskReportSchema, tasksReported } from '../entries/tasks.ts'
import { nodeRow, type DrainRow } from '../rows.ts'
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
