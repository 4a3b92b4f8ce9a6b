import { z } from 'zod'
import { defineEntry } from '../../contracts/entry.ts'

const note = (text: string) => ({ system: 'chaos', kind: 'chaos-halt', target: 'chaos', service: null, text })

/** From here on every fault is undone and no run starts. */
export const chaosHalted = defineEntry({
  type: 'chaos.ChaosHalted',
  body: z.object({ reason: z.string() }),
  notable: (body) => note(`chaos is halted: ${body.reason}`),
  apply: (db, body, meta) => {
    db.run('INSERT OR REPLACE INTO chaos_halt (id, reason, author, at) VALUES (1, ?, ?, ?)', body.reason, meta.actor, meta.at)
  },
})

export const chaosResumed = defineEntry({
  type: 'chaos.ChaosResumed',
  body: z.object({ reason: z.string() }),
  notable: (body) => note(`chaos may run again: ${body.reason}`),
  apply: (db) => {
    db.run('DELETE FROM chaos_halt')
  },
})

/** Which environment this fleet is: experiments name the one they are for. */
export const chaosEnvironmentSet = defineEntry({
  type: 'chaos.ChaosEnvironmentSet',
  body: z.object({ environment: z.string() }),
  apply: (db, body) => {
    db.run("INSERT OR REPLACE INTO chaos_setting (name, value) VALUES ('environment', ?)", body.environment)
  },
})

export const HALT_ENTRIES = [chaosHalted, chaosResumed, chaosEnvironmentSet] as const
