import { z } from 'zod'
import { defineEntry } from '../../contracts/entry.ts'
import { canonicalJson } from '../../kernel/json.ts'
import type { NodeRow } from '../rows.ts'
import { liveOnNode } from '../tasks/read.ts'
import { upgradeNodes } from '../upgrades/rows.ts'
import { nextOf, note } from './marks.ts'

/** Agents are to be started anew, those of every node that is in service now. */
export const agentUpgradeStarted = defineEntry({
  type: 'tw.AgentUpgradeStarted',
  body: z.object({ folder: z.string().nullable(), version: z.string().nullable(), sizes: z.array(z.int().min(1)) }),
  notable: ({ folder, version, sizes }) =>
    note(
      'agent-upgrade',
      'agents',
      null,
      `upgrade of agents to ${version ?? folder ?? 'what is installed'} started, in ${sizes.length} waves`,
    ),
  apply: (db, { folder, version, sizes }, meta) => {
    const id = nextOf(db, 'upgrade')
    db.run(
      "INSERT INTO tw_upgrade (id, folder, version, wave, waves, wave_at, state, why, author, started_at) VALUES (?, ?, ?, 0, ?, NULL, 'running', '', ?, ?)",
      id,
      folder,
      version,
      sizes.length,
      meta.actor,
      meta.at,
    )
    const nodes = db.all<Pick<NodeRow, 'name'>>("SELECT name FROM tw_node WHERE state = 'ready' ORDER BY name")
    let from = 0
    for (const [wave, size] of sizes.entries()) {
      // The rest, should there be more nodes by now.
      const until = wave === sizes.length - 1 ? nodes.length : from + size
      for (const { name } of nodes.slice(from, until))
        db.run("INSERT INTO tw_upgrade_node (upgrade, wave, node, state, pid, pids) VALUES (?, ?, ?, 'waiting', 0, '{}')", id, wave, name)
      from = until
    }
  },
})

/** The agents of a wave are to be told now; what runs on their nodes is remembered. */
export const upgradeAgents = defineEntry({
  type: 'tw.UpgradeAgents',
  body: z.object({ upgrade: z.int(), wave: z.int() }),
  apply: (db, { upgrade, wave }, meta) => {
    db.run('UPDATE tw_upgrade SET wave = ?, wave_at = ? WHERE id = ?', wave, meta.at, upgrade)
    for (const { node } of upgradeNodes(db, upgrade, wave)) {
      const pid = db.get<Pick<NodeRow, 'pid'>>('SELECT pid FROM tw_node WHERE name = ?', node)?.pid ?? 0
      const pids = Object.fromEntries(liveOnNode(db, node).flatMap((task) => (task.pid === null ? [] : [[String(task.id), task.pid]])))
      db.run(
        "UPDATE tw_upgrade_node SET state = 'asked', pid = ?, pids = ? WHERE upgrade = ? AND wave = ? AND node = ?",
        ...[pid, canonicalJson(pids), upgrade, wave, node],
      )
    }
  },
})

/** What became of agents: `told` to start anew, `done`: back as they should be, `returned`: told to go back. */
export const agentsUpgraded = defineEntry({
  type: 'tw.AgentsUpgraded',
  body: z.object({ upgrade: z.int(), wave: z.int(), nodes: z.array(z.string()), state: z.enum(['told', 'done', 'returned']) }),
  apply: (db, { upgrade, wave, nodes, state }) => {
    const from = { told: 'asked', done: 'told', returned: 'failed' }[state]
    for (const node of nodes)
      db.run(
        'UPDATE tw_upgrade_node SET state = ? WHERE upgrade = ? AND wave = ? AND node = ? AND state = ?',
        ...[state, upgrade, wave, node, from],
      )
  },
})

/** All waves passed, or one did not: then its agents go back, and the others stay as they are. */
export const agentUpgradeFinished = defineEntry({
  type: 'tw.AgentUpgradeFinished',
  body: z.object({ upgrade: z.int(), state: z.enum(['done', 'stopped']), why: z.string() }),
  notable: ({ state, why }) =>
    note('agent-upgrade', 'agents', null, state === 'done' ? 'all agents are upgraded' : `upgrade of agents stopped: ${why}`),
  apply: (db, { upgrade, state, why }, meta) => {
    db.run('UPDATE tw_upgrade SET state = ?, why = ?, finished_at = ? WHERE id = ?', state, why, meta.at, upgrade)
    if (state === 'stopped') db.run("UPDATE tw_upgrade_node SET state = 'failed' WHERE upgrade = ? AND state IN ('asked', 'told')", upgrade)
  },
})

export const UPGRADE_ENTRIES = [agentUpgradeStarted, upgradeAgents, agentsUpgraded, agentUpgradeFinished] as const
