import { z } from 'zod'
import { defineEntry } from '../../contracts/entry.ts'
import { canonicalJson } from '../../kernel/json.ts'
import type { MeshSplitRow } from '../rows.ts'
import { note } from './marks.ts'

/** Control side of the mesh. Endpoints are not stored: they are a query over `tw_task`. */

export const serviceSet = defineEntry({
  type: 'tw.ServiceSet',
  body: z.object({
    service: z.string(),
    job: z.string(),
    group: z.string(),
    port: z.string(),
    protocol: z.enum(['http', 'tcp']),
    requestTimeoutMs: z.int(),
    retriesMax: z.int(),
    /** the job no longer has it */
    isRemoved: z.boolean(),
  }),
  apply: (db, body) => {
    if (body.isRemoved) {
      db.run('DELETE FROM tw_mesh_service WHERE name = ? AND job = ?', body.service, body.job)
      db.run('DELETE FROM tw_mesh_split WHERE service = ?', body.service)
      return
    }
    db.run(
      'INSERT OR REPLACE INTO tw_mesh_service (name, job, grp, port, protocol, request_timeout_ms, retries_max) VALUES (?, ?, ?, ?, ?, ?, ?)',
      body.service,
      body.job,
      body.group,
      body.port,
      body.protocol,
      body.requestTimeoutMs,
      body.retriesMax,
    )
  },
})

export const splitBodySchema = z.object({
  service: z.string(),
  /** subset → parts per million; empty: no split, all endpoints are equal */
  shares: z.record(z.string(), z.int().min(0).max(1_000_000)),
  arms: z.record(z.string(), z.string()),
  salt: z.string(),
  sticky: z.string().nullable(),
  epoch: z.int().min(0),
  reason: z.string(),
})

/** A lower epoch than the one in force changes nothing: it comes from somebody who was replaced (fencing). */
export const splitSet = defineEntry({
  type: 'tw.SplitSet',
  body: splitBodySchema,
  apply: (db, body, meta) => {
    const current = db.get<MeshSplitRow>('SELECT * FROM tw_mesh_split WHERE service = ?', body.service)
    if (current && body.epoch < current.epoch) return
    db.run(
      'INSERT OR REPLACE INTO tw_mesh_split (service, shares, arms, salt, sticky, epoch, reason, position, applied_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, NULL)',
      body.service,
      canonicalJson(body.shares),
      canonicalJson(body.arms),
      body.salt,
      body.sticky,
      body.epoch,
      body.reason,
      meta.position,
    )
  },
})

/** Every connected proxy works from the split that stands at `position`. */
export const splitApplied = defineEntry({
  type: 'tw.SplitApplied',
  body: z.object({ service: z.string(), epoch: z.int(), position: z.int(), proxies: z.int() }),
  apply: (db, body, meta) => {
    db.run(
      'UPDATE tw_mesh_split SET applied_at = ? WHERE service = ? AND position = ? AND applied_at IS NULL',
      meta.at,
      body.service,
      body.position,
    )
  },
})

export const meshFaultSchema = z.object({
  id: z.string(),
  run: z.string(),
  kind: z.enum(['delay', 'status', 'reset']),
  share: z.int().min(0).max(1_000_000),
  salt: z.string(),
  delayMs: z.int().min(0),
  jitterMs: z.int().min(0),
  status: z.int(),
  match: z.object({ method: z.string().optional(), pathPrefix: z.string().optional(), subset: z.string().optional() }),
  untilMs: z.int(),
  usersMax: z.int().min(0),
})

/** Chaos rules of a service; each ends at its time in the proxy itself, whoever is alive. */
export const faultRuleSet = defineEntry({
  type: 'tw.FaultRuleSet',
  body: z.object({ service: z.string(), add: z.array(meshFaultSchema), remove: z.array(z.string()), reason: z.string() }),
  // A rule whose end is only moved on is no news: chaos does that every few seconds.
  notable: (body, db) => {
    const fresh = body.add.filter((fault) => db.get('SELECT 1 AS one FROM tw_mesh_fault WHERE id = ?', fault.id) === undefined)
    return fresh.length === 0
      ? null
      : note(
          'mesh-fault',
          body.service,
          body.service,
          `mesh faults on ${body.service}: ${fresh.map((fault) => fault.kind).join(', ')} (${body.reason})`,
        )
  },
  apply: (db, body) => {
    for (const id of body.remove) db.run('DELETE FROM tw_mesh_fault WHERE id = ? AND service = ?', id, body.service)
    for (const fault of body.add) {
      db.run(
        'INSERT OR REPLACE INTO tw_mesh_fault (id, service, body, until_ms) VALUES (?, ?, ?, ?)',
        fault.id,
        body.service,
        canonicalJson(fault),
        fault.untilMs,
      )
    }
  },
})

export const MESH_ENTRIES = [serviceSet, splitSet, splitApplied, faultRuleSet] as const
