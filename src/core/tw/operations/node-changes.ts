import { z } from 'zod'
import { defineCommand } from '../../contracts/operation.ts'
import { canonicalJson } from '../../kernel/json.ts'
import { refuse } from '../../kernel/errors.ts'
import { nodeRetired, nodeSet } from '../entries/nodes.ts'
import { conditionsSchema, isSameConditions, type Conditions } from '../nodes/conditions.ts'
import { fromJson, nodeRow, taskName } from '../rows.ts'
import { liveOnNode } from '../tasks/read.ts'

const unknownNode = (node: string) => refuse('TW_NODE_UNKNOWN', `there is no node ${node}`)
const NAMED_MAX = 5

export const nodeLabel = defineCommand({
  name: 'tw.node.label',
  summary: 'Set or remove labels of a node, which constraints ask for as node.meta.NAME.',
  input: z.object({
    node: z.string(),
    set: z.record(z.string().regex(/^[\w.-]{1,63}$/, 'a label is letters, digits, "_", "-" and "."'), z.string().max(256)).default({}),
    remove: z.array(z.string()).default([]),
    reason: z.string().default(''),
  }),
  output: z.object({ node: z.string(), labels: z.record(z.string(), z.string()), isChanged: z.boolean() }),
  decide: (db, { node: name, set, remove, reason }) => {
    const node = nodeRow(db, name)
    if (!node) return unknownNode(name)
    const labels = { ...fromJson<Record<string, string>>(node.labels), ...set }
    for (const label of remove) delete labels[label]
    const isChanged = canonicalJson(labels) !== node.labels
    return { entries: isChanged ? [nodeSet.of({ node: name, labels, reason })] : [], reply: () => ({ node: name, labels, isChanged }) }
  },
})

export const nodeRetire = defineCommand({
  name: 'tw.node.retire',
  summary: 'Forget a node whose machine is gone for good; its name and key are free then.',
  danger: 'medium',
  input: z.object({ node: z.string(), reason: z.string().default('') }),
  output: z.object({ node: z.string() }),
  decide: (db, { node: name, reason }) => {
    const node = nodeRow(db, name)
    if (!node) return unknownNode(name)
    // Nobody will ever know more of those that are unknown.
    const live = liveOnNode(db, name).filter((task) => task.state !== 'unknown')
    if (live.length > 0) {
      const more = live.length > NAMED_MAX ? ` and ${live.length - NAMED_MAX} more` : ''
      return refuse('TW_NODE_BUSY', `${live.slice(0, NAMED_MAX).map(taskName).join(', ')}${more} still run on ${name}`, {
        details: { tasks: live.map(taskName) },
      })
    }
    if (node.state === 'ready' && node.is_cordoned === 0)
      return refuse('TW_NODE_BUSY', `the node ${name} is in service, and may be given tasks at any moment`)
    return { entries: [nodeRetired.of({ node: name, reason })], reply: () => ({ node: name }) }
  },
})

export const nodeConditions = defineCommand({
  name: 'tw.node.conditions',
  summary: 'Say what an agent finds wrong with its machine, where it is news.',
  role: 'admin',
  input: z.object({ node: z.string(), conditions: conditionsSchema }),
  output: z.object({ isChanged: z.boolean() }),
  decide: (db, { node: name, conditions }) => {
    const node = nodeRow(db, name)
    if (!node) return unknownNode(name)
    const isChanged = !isSameConditions(fromJson<Conditions>(node.conditions), conditions)
    return { entries: isChanged ? [nodeSet.of({ node: name, conditions, reason: 'its agent' })] : [], reply: () => ({ isChanged }) }
  },
})
