import { z } from 'zod'
import { defineCommand, defineQuery } from '../../contracts/operation.ts'
import { refuse } from '../../kernel/errors.ts'
import { agentUpgradeFinished, agentUpgradeStarted } from '../entries/upgrades.ts'
import { runningUpgrade, type UpgradeNodeRow, type UpgradeRow } from '../upgrades/rows.ts'
import { waveSizes } from '../upgrades/waves.ts'

const upgradeSchema = z.object({
  upgrade: z.int(),
  folder: z.string().nullable(),
  version: z.string().nullable(),
  state: z.enum(['running', 'done', 'stopped']),
  why: z.string(),
  author: z.string(),
  startedAtMs: z.number(),
  finishedAtMs: z.number().nullable(),
  waves: z.array(z.object({ nodes: z.int(), waiting: z.int(), underWay: z.int(), done: z.int(), failed: z.int() })),
})

export const agentUpgrade = defineCommand({
  name: 'tw.upgrade.agents',
  summary: 'Start the agents anew from another installation, wave by wave; their tasks run on.',
  danger: 'medium',
  input: z.object({
    /** the package on every node; null: where the agents are now */
    folder: z.string().startsWith('/').nullable().default(null),
    /** the agents have to be of afterwards */
    version: z.string().min(1).nullable().default(null),
    /** `1,10%,100%` */
    waves: z.string().default('1,10%,100%'),
  }),
  output: z.object({ upgrade: z.int(), nodes: z.int(), sizes: z.array(z.int()) }),
  decide: (db, { folder, version, waves }) => {
    const nodes = db.get<{ n: number }>("SELECT count(*) AS n FROM tw_node WHERE state = 'ready'")?.n ?? 0
    const sizes = waveSizes(waves, nodes)
    if (sizes === null) return refuse('USAGE', `waves are numbers or shares of the nodes, like 1,10%,100%, not "${waves}"`)
    if (nodes === 0) return refuse('TW_NODE_UNKNOWN', 'there is no node in service')
    if (runningUpgrade(db) !== undefined)
      return refuse('TW_UPGRADE_RUNS', 'the agents are being upgraded already', { hint: 'Look with `muster tw upgrade show`.' })
    return {
      entries: [agentUpgradeStarted.of({ folder, version, sizes })],
      reply: (after) => ({ upgrade: after.get<{ id: number }>('SELECT max(id) AS id FROM tw_upgrade')?.id ?? 0, nodes, sizes }),
    }
  },
})

export const agentUpgradeStop = defineCommand({
  name: 'tw.upgrade.stop',
  summary: 'Stop the upgrade of the agents: those of the wave that goes on are taken back.',
  danger: 'medium',
  input: z.object({ reason: z.string().default('') }),
  output: z.object({ upgrade: z.int().nullable() }),
  decide: (db, { reason }) => {
    const running = runningUpgrade(db)
    if (running === undefined) return { entries: [], reply: () => ({ upgrade: null }) }
    const why = reason === '' ? 'stopped by hand' : reason
    return { entries: [agentUpgradeFinished.of({ upgrade: running.id, state: 'stopped', why })], reply: () => ({ upgrade: running.id }) }
  },
})

export const agentUpgradeShow = defineQuery({
  name: 'tw.upgrade.show',
  summary: 'Show how the newest upgrade of the agents goes, wave by wave.',
  input: z.object({}),
  output: upgradeSchema,
  answer: (db) => {
    const row = db.get<UpgradeRow>('SELECT * FROM tw_upgrade ORDER BY id DESC LIMIT 1')
    if (row === undefined) return refuse('NOT_FOUND', 'the agents were never upgraded')
    const counts = db.all<Pick<UpgradeNodeRow, 'wave' | 'state'> & { n: number }>(
      'SELECT wave, state, count(*) AS n FROM tw_upgrade_node WHERE upgrade = ? GROUP BY wave, state',
      row.id,
    )
    const of = (wave: number, ...states: string[]): number =>
      counts.reduce((sum, it) => sum + (it.wave === wave && (states.length === 0 || states.includes(it.state)) ? it.n : 0), 0)
    return {
      ...{ upgrade: row.id, folder: row.folder, version: row.version, state: row.state, why: row.why, author: row.author },
      ...{ startedAtMs: row.started_at, finishedAtMs: row.finished_at },
      waves: Array.from({ length: row.waves }, (_, wave) => ({
        nodes: of(wave),
        waiting: of(wave, 'waiting'),
        underWay: of(wave, 'asked', 'told'),
        done: of(wave, 'done'),
        failed: of(wave, 'failed', 'returned'),
      })),
    }
  },
})
