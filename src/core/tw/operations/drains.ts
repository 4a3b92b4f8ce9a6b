import { z } from 'zod'
import { defineCommand, defineQuery } from '../../contracts/operation.ts'
import type { ReadDb } from '../../contracts/storage.ts'
import { isRefusal, refuse } from '../../kernel/errors.ts'
import { drainFinished, drainStarted } from '../entries/drains.ts'
import { nodesOfTarget } from '../nodes/node-target.ts'
import { homeless } from '../ops/homeless.ts'
import { nodeRow, type DrainRow } from '../rows.ts'
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
    const drains = new Map(nodes.map((node) => [node, drainRow(db, node)]))
    const fresh = nodes.filter((node) => drains.get(node) === undefined)
    const without = onImage(db, ctx, (image) => homeless(db, image, fresh))
    if (without.length > 0 && !input.force)
      return refuse('TW_DRAIN_WONT_FIT', `no room elsewhere for ${without.join(', ')}`, { details: { tasks: without } })
    const deadlineMs = input.deadlineMs ?? (input.isHard ? 0 : null)
    const { isHard, ignoresSystem, reason } = input
    // Of one that goes on already nothing but what is said now is changed.
    const changed = deadlineMs === null ? [] : [...drains.values()].filter((drain) => drain !== undefined)
    const entries = [
      ...fresh.map((node) => drainStarted.of({ node, deadlineMs, isForced: input.force, isHard, ignoresSystem, reason })),
      ...changed.map((drain) =>
        drainStarted.of({
          node: drain.node,
          deadlineMs,
          isForced: input.force || drain.is_forced === 1,
          isHard,
          ignoresSystem: ignoresSystem || drain.ignores_system === 1,
          maintenance: drain.maintenance,
          reason: reason || drain.reason,
        }),
      ),
    ]
    return {
      entries,
      reply: (after) => ({ target: input.target, nodes, left: leftOnNodes(after, nodes, ctx.now), isChanged: entries.length > 0 }),
      ...(without.length > 0 ? { warnings: [`no room elsewhere now for ${without.join(', ')}`] } : {}),
    }
  },
})

/** The drain of a node that goes on. */
function drainRow(db: ReadDb, node: string): DrainRow | undefined {
  return db.get<DrainRow>('SELECT * FROM tw_drain WHERE node = ? AND finished_at IS NULL', node)
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
