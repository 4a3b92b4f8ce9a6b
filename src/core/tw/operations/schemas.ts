import { z } from 'zod'
import { WAITING_CODES } from '../controllers/waiting.ts'
import { PROFILE_STATES } from '../profiles/rows.ts'

/** Forms of the answers several operations share; they mirror the views. */

export const statusSchema = z.object({
  job: z.string(),
  kind: z.enum(['service', 'batch', 'system', 'sysbatch']),
  state: z.enum(['running', 'stopped']),
  currentVersion: z.int(),
  lastVersion: z.int(),
  owner: z.string().nullable(),
  groups: z.array(
    z.object({
      group: z.string(),
      service: z.string().nullable(),
      count: z.int(),
      arms: z.array(
        z.object({
          arm: z.enum(['primary', 'canary']),
          version: z.int(),
          wanted: z.int(),
          placed: z.int(),
          running: z.int(),
          healthy: z.int(),
          allHealthySinceMs: z.number().nullable(),
          restarts: z.int(),
          complete: z.int(),
        }),
      ),
      leftover: z.int(),
    }),
  ),
})

export const taskSchema = z.object({
  task: z.string(),
  id: z.int(),
  job: z.string(),
  group: z.string(),
  index: z.int(),
  version: z.int(),
  release: z.string().nullable(),
  arm: z.string().nullable(),
  service: z.string().nullable(),
  node: z.string(),
  region: z.string(),
  state: z.enum(['placed', 'starting', 'running', 'stopping', 'unknown', 'stopped', 'complete', 'failed', 'lost']),
  health: z.enum(['starting', 'healthy', 'unhealthy', 'none']),
  want: z.enum(['run', 'stop']),
  incarnation: z.int(),
  restarts: z.int(),
  reason: z.string(),
  pid: z.int().nullable(),
  ports: z.record(z.string(), z.int()),
  placedAtMs: z.number(),
  startedAtMs: z.number().nullable(),
  endedAtMs: z.number().nullable(),
  cpuMilli: z.int(),
  memoryBytes: z.int(),
  diskBytes: z.int(),
  gpu: z.object({ indexes: z.array(z.int()), models: z.array(z.string()), shareMilli: z.int() }).nullable(),
  cpuUsedMilli: z.number().nullable(),
  memoryUsedBytes: z.number().nullable(),
  labels: z.record(z.string(), z.string()),
})

export const eventSchema = z.object({ atMs: z.number(), position: z.int(), text: z.string() })

export const nodeSchema = z.object({
  node: z.string(),
  state: z.enum(['ready', 'suspect', 'lost']),
  isCordoned: z.boolean(),
  drain: z.enum(['draining', 'drained']).nullable(),
  region: z.string(),
  zone: z.string(),
  rack: z.string(),
  address: z.string(),
  cpuMilli: z.int(),
  memoryBytes: z.int(),
  diskBytes: z.int(),
  cpuReserved: z.int(),
  memoryReserved: z.int(),
  diskReserved: z.int(),
  gpus: z.array(z.object({ model: z.string(), reservedMilli: z.int() })),
  tasks: z.int(),
  silentMs: z.number().nullable(),
  relay: z.string().nullable(),
  joinedAtMs: z.number(),
  changedAtMs: z.number(),
  attributes: z.record(z.string(), z.string()),
  conditions: z.record(z.string(), z.string()),
  profile: z
    .object({
      profile: z.string(),
      version: z.int(),
      state: z.enum(PROFILE_STATES),
      why: z.string(),
      differs: z.record(z.string(), z.string()),
    })
    .nullable(),
})

export const blockedSchema = z.array(
  z.object({
    job: z.string(),
    group: z.string(),
    version: z.int(),
    tasks: z.array(z.string()),
    code: z.enum(WAITING_CODES),
    why: z.string(),
  }),
)
