import type { Controller, Effect } from '../../contracts/controller.ts'
import type { Proposal } from '../../contracts/entry.ts'
import type { ReadDb } from '../../contracts/storage.ts'
import { agentsUpgraded, agentUpgradeFinished, upgradeAgents } from '../entries/upgrades.ts'
import { fromJson, nodeRow, taskName } from '../rows.ts'
import { taskRow } from '../tasks/read.ts'
import { judgeAgent, type AgentSeen } from '../upgrades/judge.ts'
import {
  runningUpgrade,
  upgradeNodes,
  FOLDER_ATTRIBUTE,
  VERSION_ATTRIBUTE,
  type UpgradeNodeRow,
  type UpgradeRow,
} from '../upgrades/rows.ts'

/** Tells an agent to start anew: `{upgrade, wave, node, folder, isBack}`. Outcome: {@link agentsUpgraded}. */
export const RESTART_AGENT = 'tw.restart-agent'
/** While a wave goes on, it is looked again so soon. */
const LOOK_MS = 500

/** Brings one wave of agents after the other to another installation, and stops at the first that is not back as it should be. */
export const upgrader: Controller = {
  name: 'tw.upgrade',
  wakes: ['tw.AgentUpgrade', 'tw.AgentsUpgraded', 'tw.UpgradeAgents', 'tw.NodeJoined', 'tw.NodeLost', 'tw.DomainLost'],
  decide: (db, now) => {
    const upgrade = runningUpgrade(db)
    if (upgrade === undefined) return { entries: [], wakeAt: null }
    const entries = step(db, upgrade, now)
    return { entries, wakeAt: now + LOOK_MS }
  },
  effects: (db) => {
    const latest = db.get<UpgradeRow>('SELECT * FROM tw_upgrade ORDER BY id DESC LIMIT 1')
    if (latest === undefined || latest.wave_at === null || latest.state === 'done') return []
    const due = latest.state === 'running' ? 'asked' : 'failed'
    return upgradeNodes(db, latest.id, latest.wave).flatMap(({ node, wave, state }): Effect[] =>
      state === due
        ? [
            {
              key: `upgrade/${latest.id}/${node}/${due}`,
              kind: RESTART_AGENT,
              body: { upgrade: latest.id, wave, node, folder: latest.folder, isBack: due === 'failed' },
            },
          ]
        : [],
    )
  },
}

function step(db: ReadDb, upgrade: UpgradeRow, now: number): Proposal[] {
  const { id, wave, waves } = upgrade
  if (upgrade.wave_at === null) return [upgradeAgents.of({ upgrade: id, wave: 0 })]
  const sinceMs = now - upgrade.wave_at
  const nodes = upgradeNodes(db, id, wave)
  const outcomes = nodes.flatMap((row) =>
    row.state === 'told' || row.state === 'asked' ? [{ row, outcome: judgeAgent(seen(db, row), upgrade, sinceMs) }] : [],
  )
  const failed = outcomes.flatMap(({ outcome }) => (outcome.kind === 'failed' ? [outcome.why] : []))
  if (failed.length > 0) return [agentUpgradeFinished.of({ upgrade: id, state: 'stopped', why: failed.slice(0, 5).join('; ') })]
  const back = outcomes.flatMap(({ row, outcome }) => (row.state === 'told' && outcome.kind === 'back' ? [row.node] : []))
  const entries: Proposal[] = back.length === 0 ? [] : [agentsUpgraded.of({ upgrade: id, wave, nodes: back, state: 'done' })]
  if (back.length < outcomes.length) return entries
  const next =
    wave + 1 < waves ? upgradeAgents.of({ upgrade: id, wave: wave + 1 }) : agentUpgradeFinished.of({ upgrade: id, state: 'done', why: '' })
  return [...entries, next]
}

function seen(db: ReadDb, { node, pid, pids }: UpgradeNodeRow): AgentSeen {
  const row = nodeRow(db, node)
  const attributes = fromJson<Record<string, string>>(row?.attributes ?? '{}')
  return {
    node,
    ...{
      pidBefore: pid,
      pidNow: row?.pid ?? pid,
      version: attributes[VERSION_ATTRIBUTE] ?? null,
      folder: attributes[FOLDER_ATTRIBUTE] ?? null,
      isLost: row?.state !== 'ready',
    },
    tasks: Object.entries(fromJson<Record<string, number>>(pids)).flatMap(([id, before]) => {
      const task = taskRow(db, Number(id))
      if (task === undefined) return []
      return [{ task: taskName(task), before, now: task.pid, hasEnded: task.is_terminal === 1 || task.want === 'stop' }]
    }),
  }
}
