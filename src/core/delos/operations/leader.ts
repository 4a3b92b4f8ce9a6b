import { z } from 'zod'
import { defineCommand, defineQuery } from '../../contracts/operation.ts'
import type { ReadDb } from '../../contracts/storage.ts'
import { leaderPreferred } from '../entries/member.ts'
import { regionSchema } from '../member/schema.ts'

const preferenceSchema = z.object({
  /** whose servers shall lead; null: any */
  region: z.string().nullable(),
  author: z.string().nullable(),
  /** ms since the epoch; null: nobody ever said */
  at: z.number().int().nullable(),
})

export function leaderPreference(db: ReadDb): z.output<typeof preferenceSchema> {
  const row = db.get<z.output<typeof preferenceSchema>>('SELECT region, author, at FROM delos_preferred_leader WHERE one = 1')
  return row ?? { region: null, author: null, at: null }
}

export const leaderPrefer = defineCommand({
  name: 'delos.leader.prefer',
  summary: 'Have a server of this region lead, whenever one is reached and caught up; null: any.',
  role: 'admin',
  input: z.object({ region: regionSchema.nullable() }),
  output: preferenceSchema,
  decide: (db, { region }) => ({
    entries: leaderPreference(db).region === region ? [] : [leaderPreferred.of({ region })],
    reply: leaderPreference,
  }),
})

export const leaderPreferenceShow = defineQuery({
  name: 'delos.leader.preference',
  summary: 'Show which servers shall lead.',
  input: z.object({}),
  output: preferenceSchema,
  answer: leaderPreference,
})

export const leaderOperations = [leaderPrefer, leaderPreferenceShow]
