import { z } from 'zod'
import { defineEntry } from '../../contracts/entry.ts'
import { canonicalJson } from '../../kernel/json.ts'
import { nodeRow } from '../rows.ts'
import { openLoad } from '../tasks/load.ts'
import { loseTasks } from '../tasks/write.ts'
import { moveDomains } from '../entitlements/domains.ts'
import { because, note } from './marks.ts'

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
      `INSERT INTO tw_node (name, boot_id, pid, region, zone, rack, address, cpu_milli, memory_bytes, attributes, labels, state, is_cordoned, joined_at, changed_at)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, '{}', 'ready', 0, ?, ?)
       ON CONFLICT (name) DO UPDATE SET boot_id = excluded.boot_id, pid = excluded.pid, region = excluded.region, zone = excluded.zone, rack = excluded.rack,
         address = excluded.address, cpu_milli = excluded.cpu_milli, memory_bytes = excluded.memory_bytes, attributes = excluded.attributes,
         state = 'ready', changed_at = excluded.changed_at`,
      body.node,
      body.bootId,
      body.pid,
      body.region,
      body.zone,
      body.rack,
      body.address,
      body.cpuMilli,
      body.memoryBytes,
      canonicalJson(body.attributes),
      meta.at,
      meta.at,
    )
    openLoad(db, body.node)
    moveDomains(db, before, nodeRow(db, body.node))
  },
})

/** Silent for too long: its tasks are given up and replaced. Should it return, they are stopped there. */
export const nodeLost = defineEntry({
  type: 'tw.NodeLost',
  body: z.object({ node: z.string(), silentMs: z.int() }),
  notable: (body) => note('node-lost', body.node, null, `node ${body.node} lost: silent for ${Math.round(body.silentMs / 1000)} s`),
  apply: (db, body, meta) => {
    const before = nodeRow(db, body.node)
    db.run("UPDATE tw_node SET state = 'lost', changed_at = ? WHERE name = ?", meta.at, body.node)
    moveDomains(db, before, nodeRow(db, body.node))
    loseTasks(db, body.node, `node ${body.node} lost`, meta)
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
    reason: z.string(),
  }),
  notable: (body) =>
    body.isCordoned === undefined
      ? null
      : note('node', body.node, null, `node ${body.node} ${body.isCordoned ? 'cordoned' : 'uncordoned'}${because(body.reason)}`),
  apply: (db, body, meta) => {
    if (body.isCordoned !== undefined)
      db.run('UPDATE tw_node SET is_cordoned = ?, changed_at = ? WHERE name = ?', body.isCordoned ? 1 : 0, meta.at, body.node)
    if (body.labels !== undefined)
      db.run('UPDATE tw_node SET labels = ?, changed_at = ? WHERE name = ?', canonicalJson(body.labels), meta.at, body.node)
  },
})

export const NODE_ENTRIES = [nodeJoined, nodeLost, nodeReturned, nodeSet] as const
