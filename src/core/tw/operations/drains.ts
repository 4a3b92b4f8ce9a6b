import { z } from 'zod'
import { defineCommand, defineQuery } from '../../contracts/operation.ts'
import type { ReadDb } from '../../contracts/storage.ts'
import { isRefusal, refuse } from '../../kernel/errors.ts'
import { drainFinished, drainStarted } from '../entries/drains.ts'
import { nodesOfTarget } from '../nodes/node-target.ts'
import { homeless } from '../ops/homeless.ts'
import { nodeRow } from '../rows.ts'
import { onImage } from '../soft.ts'
import { drainStatus, leftOnNodes } from '../views/drains.ts'

const leftSchema = z.object({ task: z.string(), node: z.string(), waitsFor: z.string(), code: z.string().nullable() })

export const nodeDrain = defineCommand({
  name: 'tw.drain.start',
  summary: 'Move everything off nodes, within the budgets of the groups and with the consent of the applications.',
  danger: 'medium',
  input: z.object({
    /** a node, `rack:r7`, `zone:z1`, `region:eu` or `label:k=v` */
    target: z.string(),
    /** by then it should be over; null: it takes as long as it takes */
    deadlineMs: z.int().min(0).nullable().default(null),
    /** at the deadline, or at once without one, what is left is stopped whatever budget and application say */
    isHard: z.boolean().default(false),
    /** tasks of system jobs stay */
    ignoresSystem: z.boolean().default(false),
    /** start although not everything fits elsewhere */
    force: z.boolean().default(false),
    reason: z.string().default(''),
  }),
  output: z.object({
    target: z.string(),
    nodes: z.array(z.string()),
    /** on these nodes still, and what each of them waits for */
    left: z.array(leftSchema),
    isChanged: z.boolean(),
  }),
  decide: (db, input, ctx) => {
    const nodes = nodesOfTarget(db, input.target)
    if (isRefusal(nodes)) return nodes
    const fresh = nodes.filter((node) => !isDraining(db, node))
    const without = onImage(db, ctx, (image) => homeless(db, image, fresh))
    if (without.length > 0 && !input.force)
      return refuse('TW_DRAIN_WONT_FIT', `no room elsewhere for ${without.join(', ')}`, { details: { tasks: without } })
    const deadlineMs = input.deadlineMs ?? (input.isHard ? 0 : null)
    const { isHard, ignoresSystem, reason } = input
    return {
      entries: fresh.map((node) => drainStarted.of({ node, deadlineMs, isForced: input.force, isHard, ignoresSystem, reason })),
      reply: (after) => ({ target: input.target, nodes, left: leftOnNodes(after, nodes, ctx.now), isChanged: fresh.length > 0 }),
      ...(without.length > 0 ? { warnings: [`no room elsewhere now for ${without.join(', ')}`] } : {}),
    }
  },
})

function isDraining(db: ReadDb, node: string): boolean {
  return db.get('SELECT node FROM tw_drain WHERE node = ? AND finished_at IS NULL', node) !== undefined
}

export const drainShow = defineQuery({
  name: 'tw.drain.show',
  summary: 'Show how far a drain is, and what each task that is left waits for.',
  input: z.object({ target: z.string() }),
  output: z.object({ nodes: z.array(z.string()), left: z.array(leftSchema), isDrained: z.boolean() }),
  answer: (db, input, ctx) => {
    const nodes = nodesOfTarget(db, input.target)
    return isRefusal(nodes) ? nodes : drainStatus(db, nodes, ctx.now)
  },
})

export const nodeUndrain = defineCommand({
  name: 'tw.drain.cancel',
  summary: 'Call off a drain, or take drained nodes back into service.',
  input: z.object({ target: z.string() }),
  output: z.object({ target: z.string(), nodes: z.array(z.string()), isChanged: z.boolean() }),
  decide: (db, input) => {
    const nodes = nodesOfTarget(db, input.target)
    if (isRefusal(nodes)) return nodes
    const closed = nodes.filter(
      (node) => nodeRow(db, node)?.is_cordoned === 1 || db.get('SELECT node FROM tw_drain WHERE node = ?', node) !== undefined,
    )
    return {
      entries: closed.map((node) => drainFinished.of({ node, isComplete: false })),
      reply: () => ({ target: input.target, nodes, isChanged: closed.length > 0 }),
    }
  },
})
