import { z } from 'zod'
import { defineEntry } from '../../contracts/entry.ts'
import { HALT_ALL } from '../rows.ts'

const scopeText = (scope: string): string => (scope === HALT_ALL ? 'all rollouts' : `rollouts of ${scope}`)

/** Nothing of the scope starts or grows from here on; rollbacks still run. */
export const halted = defineEntry({
  type: 'deploy.Halted',
  body: z.object({ scope: z.string(), reason: z.string() }),
  notable: (body) => ({
    system: 'deploy',
    kind: 'halt',
    target: body.scope,
    service: body.scope === HALT_ALL ? null : body.scope,
    text: `${scopeText(body.scope)} halted: ${body.reason}`,
  }),
  apply: (db, body, meta) => {
    db.run(
      'INSERT OR REPLACE INTO deploy_halt (scope, reason, author, at) VALUES (?, ?, ?, ?)',
      body.scope,
      body.reason,
      meta.actor,
      meta.at,
    )
  },
})

export const unhalted = defineEntry({
  type: 'deploy.Unhalted',
  body: z.object({ scope: z.string(), reason: z.string() }),
  notable: (body) => ({
    system: 'deploy',
    kind: 'unhalt',
    target: body.scope,
    service: body.scope === HALT_ALL ? null : body.scope,
    text: `${scopeText(body.scope)} may go on: ${body.reason}`,
  }),
  apply: (db, body) => {
    db.run('DELETE FROM deploy_halt WHERE scope = ?', body.scope)
  },
})

export const HALT_ENTRIES = [halted, unhalted] as const
