import { z } from 'zod'
import { defineCommand, defineQuery } from '../../contracts/operation.ts'
import { refuse } from '../../kernel/errors.ts'
import { settingsSet } from '../entries/settings.ts'
import { settingsOf } from '../settings.ts'

const settingsSchema = z.object({
  /** replacements told to start in one second after a mass failure */
  stormRate: z.int(),
})

export const settingsShow = defineQuery({
  name: 'tw.settings.show',
  summary: 'Show what is set for the whole fleet.',
  input: z.object({}),
  output: settingsSchema,
  answer: (db) => settingsOf(db),
})

export const settingsSetCommand = defineCommand({
  name: 'tw.settings.set',
  summary: 'Set something for the whole fleet.',
  danger: 'medium',
  role: 'admin',
  input: z.object({ stormRate: z.int().min(1).max(1_000_000).optional(), reason: z.string().default('') }),
  output: settingsSchema,
  decide: (db, { stormRate, reason }) => {
    if (stormRate === undefined) return refuse('USAGE', 'nothing is given to be set')
    const isSame = settingsOf(db).stormRate === stormRate
    return { entries: isSame ? [] : [settingsSet.of({ stormRate, reason })], reply: settingsOf }
  },
})
