import { z } from 'zod'
import { defineEntry, type EntryMeta } from '../../contracts/entry.ts'
import type { Db } from '../../contracts/storage.ts'
import { canonicalJson } from '../../kernel/json.ts'
import { nodeRow, type NodeRow } from '../rows.ts'
import { openLoad } from '../tasks/load.ts'
import { conditionsSchema } from '../nodes/conditions.ts'
import { liveOnNode, tasksOnNode } from '../tasks/read.ts'
import { loseTasks } from '../tasks/lose.ts'
import { giveUpTask, reapTask } from '../tasks/write.ts'
import { leaveDomains, moveDomains } from '../entitlements/domains.ts'
import { because, note } from './marks.ts'

export const gpusSchema = z.object({ model: z.string().min(1), count: z.int().min(1) })

export const nodeIdentitySchema = z.object({
  node: z.string().min(1),
  bootId: z.string(),
  pid: z.int(),
  region: z.string(),
  zone: z.string(),
  rack: z.string(),
  address: z.string(),
  cpuMilli: z.int().min(0),
  memoryBytes: z.int().min(0),
  diskBytes: z.int().min(0).optional(),
  gpus: z.array(gpusSchema).optional(),
  attributes: z.record(z.string(), z.string()),
})

/** An agent introduces itself: a new node, or one whose machine or agent was started again. */
export const nodeJoined = defineEntry({
  type: 'tw.NodeJoined',
  body: nodeIdentitySchema,
  notable: (body, db) => (nodeRow(db, body.node) ? null : note('node', body.node, null, `node ${body.node} joined in ${body.region}`)),
  apply: (db, body, meta) => {
    const before = nodeRow(db, body.node)
    db.run(
      `INSERT INTO tw_node (name, boot_id, pid, region, zone, rack, address, cpu_milli, memory_bytes, disk_bytes, gpus, attributes, labels, state, is_cordoned, joined_at, changed_at)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, '{}', 'ready', 0, ?, ?)
       ON CONFLICT (name) DO UPDATE SET boot_id = excluded.boot_id, pid = excluded.pid, region = excluded.region, zone = excluded.zone, rack = excluded.rack,
         address = excluded.address, cpu_milli = excluded.cpu_milli, memory_bytes = excluded.memory_bytes, disk_bytes = excluded.disk_bytes,
         gpus = excluded.gpus, attributes = excluded.attributes, state = 'ready', changed_at = excluded.changed_at`,
      body.node,
      body.bootId,
      body.pid,
      body.region,
      body.zone,
      body.rack,
      body.address,
      body.cpuMilli,
      body.memoryBytes,
      body.diskBytes ?? 0,
      canonicalJson(body.gpus ?? []),
      canonicalJson(body.attributes),
      meta.at,
      meta.at,
    )
    openLoad(db, body.node)
    moveDomains(db, before, nodeRow(db, body.node))
  },
})

function giveUp(db: Db, nodes: readonly string[], meta: EntryMeta): void {
  const names = JSON.stringify(nodes)
  leaveDomains(
    db,
    db.all<NodeRow>("SELECT * FROM tw_node WHERE state <> 'lost' AND name IN (SELECT value FROM json_each(?)) ORDER BY name", names),
  )
  db.run("UPDATE tw_node SET state = 'lost', changed_at = ? WHERE name IN (SELECT value FROM json_each(?))", meta.at, names)
  loseTasks(db, nodes, meta)
}

/** Silent for too long: its tasks are given up and replaced. Should it return, they are stopped there. */
export const nodeLost = defineEntry({
  type: 'tw.NodeLost',
  body: z.object({ node: z.string(), silentMs: z.int() }),
  notable: (body) => note('node-lost', body.node, null, `node ${body.node} lost: silent for ${Math.round(body.silentMs / 1000)} s`),
  apply: (db, body, meta) => giveUp(db, [body.node], meta),
})

/** Many nodes are silent, and their peers do not reach them either. The first of as many entries as it takes says so. */
export const domainLost = defineEntry({
  type: 'tw.DomainLost',
  body: z.object({
    /** `zone z1`, or how many nodes where they have none in common */
    domain: z.string(),
    /** of all its entries */
    total: z.int(),
    isFirst: z.boolean(),
    silentMs: z.int(),
    nodes: z.array(z.string()),
  }),
  notable: ({ domain, total, isFirst, silentMs }) =>
    isFirst
      ? note(
          'domain-lost',
          domain,
          null,
          `${domain} lost: ${total} nodes silent for ${Math.round(silentMs / 1000)} s, and not reached by their peers`,
        )
      : null,
  apply: (db, body, meta) => giveUp(db, body.nodes, meta),
})

/** So many nodes are silent at once that the fault may be here: nobody is given up until it is clear. */
export const lossHeld = defineEntry({
  type: 'tw.LossHeld',
  body: z.object({ nodes: z.int(), why: z.string() }),
  notable: ({ nodes, why }) => note('loss-held', 'nodes', null, `${nodes} nodes are silent and none is given up: ${why}`),
  apply: (db, body, meta) => {
    db.run('INSERT OR REPLACE INTO tw_loss_hold (one, nodes, why, at) VALUES (1, ?, ?, ?)', body.nodes, body.why, meta.at)
  },
})

/** It is clear again who is there and who is not. */
export const lossEnded = defineEntry({
  type: 'tw.LossEnded',
  body: z.object({}),
  notable: () => note('loss-ended', 'nodes', null, 'it is clear again which nodes are there'),
  apply: (db, _body, meta) => {
    db.run('DELETE FROM tw_loss_hold')
    db.run('INSERT OR REPLACE INTO tw_loss_ended (one, at) VALUES (1, ?)', meta.at)
  },
})

export const nodeReturned = defineEntry({
  type: 'tw.NodeReturned',
  body: z.object({ node: z.string() }),
  notable: (body) => note('node', body.node, null, `node ${body.node} is back`),
  apply: (db, body, meta) => {
    const before = nodeRow(db, body.node)
    db.run("UPDATE tw_node SET state = 'ready', changed_at = ? WHERE name = ?", meta.at, body.node)
    moveDomains(db, before, nodeRow(db, body.node))
  },
})

export const nodeSet = defineEntry({
  type: 'tw.NodeSet',
  body: z.object({
    node: z.string(),
    isCordoned: z.boolean().optional(),
    labels: z.record(z.string(), z.string()).optional(),
    /** all that its agent finds wrong now */
    conditions: conditionsSchema.optional(),
    reason: z.string(),
  }),
  notable: (body) =>
    body.isCordoned === undefined
      ? body.conditions === undefined || Object.keys(body.conditions).length === 0
        ? null
        : note(
            'node',
            body.node,
            null,
            `node ${body.node}: ${Object.entries(body.conditions)
              .map(([name, what]) => `${name} (${what})`)
              .join(', ')}`,
          )
      : note('node', body.node, null, `node ${body.node} ${body.isCordoned ? 'cordoned' : 'uncordoned'}${because(body.reason)}`),
  apply: (db, body, meta) => {
    if (body.isCordoned !== undefined)
      db.run('UPDATE tw_node SET is_cordoned = ?, changed_at = ? WHERE name = ?', body.isCordoned ? 1 : 0, meta.at, body.node)
    if (body.labels !== undefined)
      db.run('UPDATE tw_node SET labels = ?, changed_at = ? WHERE name = ?', canonicalJson(body.labels), meta.at, body.node)
    if (body.conditions !== undefined)
      db.run('UPDATE tw_node SET conditions = ?, changed_at = ? WHERE name = ?', canonicalJson(body.conditions), meta.at, body.node)
  },
})

/** A machine is gone for good: its name is free, and whoever has its key speaks for nobody. */
export const nodeRetired = defineEntry({
  type: 'tw.NodeRetired',
  body: z.object({ node: z.string(), reason: z.string() }),
  notable: (body) => note('node', body.node, null, `node ${body.node} retired${because(body.reason)}`),
  apply: (db, { node }, meta) => {
    removeNode(db, node, `node ${node} retired`, meta)
    db.run('DELETE FROM tw_node_key WHERE node = ?', node)
  },
})

/** Lost for so long that they are listed no more. Their keys stay: an agent that comes back after all joins anew, and ends what it still runs. */
export const nodesForgotten = defineEntry({
  type: 'tw.NodesForgotten',
  body: z.object({ nodes: z.array(z.string()) }),
  apply: (db, { nodes }, meta) => {
    for (const node of nodes) removeNode(db, node, `node ${node} forgotten`, meta)
  },
})

function removeNode(db: Db, node: string, cause: string, meta: EntryMeta): void {
  for (const task of liveOnNode(db, node)) if (task.state === 'unknown') giveUpTask(db, task, cause, meta)
  // Their agent will never say that their processes are gone.
  for (const task of tasksOnNode(db, node)) if (task.is_terminal) reapTask(db, task, task.reported)
  for (const table of ['tw_node_report', 'tw_drain', 'tw_node_profile']) db.run(`DELETE FROM ${table} WHERE node = ?`, node)
  // Whoever waits for its turn there, or for its return, need not.
  db.run(
    "UPDATE tw_maintenance_work SET state = 'returned', since = ?, why = ? WHERE node = ? AND state NOT IN ('returned', 'aborted')",
    meta.at,
    cause,
    node,
  )
  moveDomains(db, nodeRow(db, node), undefined)
  db.run('DELETE FROM tw_node WHERE name = ?', node)
}

export const NODE_ENTRIES = [
  nodeJoined,
  nodeLost,
  domainLost,
  lossHeld,
  lossEnded,
  nodeReturned,
  nodeSet,
  nodeRetired,
  nodesForgotten,
] as const
