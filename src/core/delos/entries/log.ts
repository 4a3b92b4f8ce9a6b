import { z } from 'zod'
import { defineEntry } from '../../contracts/entry.ts'

const loglet = z.object({ loglet: z.number().int(), kind: z.string() })

/** A log goes on in another loglet. Noted behind the change, by the server that leads: what decided it is the register. */
export const logMoved = defineEntry({
  type: 'delos.LogMoved',
  body: z.object({
    log: z.enum(['control', 'kv']),
    /** of the register */
    version: z.number().int(),
    from: loglet,
    to: loglet,
  }),
  notable: ({ log, from, to }) => ({
    system: 'delos',
    kind: 'log-moved',
    target: log,
    service: null,
    text: `the log ${log} went from ${from.kind} to ${to.kind}`,
  }),
  apply: (db, { log, to }, meta) => {
    db.run('INSERT OR IGNORE INTO delos_log_move (log, loglet, at, actor) VALUES (?, ?, ?, ?)', log, to.loglet, meta.at, meta.actor)
  },
})

export const LOG_ENTRIES = [logMoved] as const
