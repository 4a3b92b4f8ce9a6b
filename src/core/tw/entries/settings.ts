import { z } from 'zod'
import { defineEntry } from '../../contracts/entry.ts'
import { settingsOf } from '../settings.ts'
import { because, note } from './marks.ts'

/** Settings of the whole fleet; those that are absent stay as they are. */
export const settingsSet = defineEntry({
  type: 'tw.SettingsSet',
  body: z.object({ stormRate: z.int().min(1).optional(), reason: z.string() }),
  notable: ({ stormRate, reason }) =>
    stormRate === undefined
      ? null
      : note('settings', 'fleet', null, `after mass failures ${stormRate} tasks start a second${because(reason)}`),
  apply: (db, { stormRate }, meta) => {
    db.run(
      'INSERT OR REPLACE INTO tw_settings (id, storm_rate, author, changed_at) VALUES (1, ?, ?, ?)',
      stormRate ?? settingsOf(db).stormRate,
      meta.actor,
      meta.at,
    )
  },
})

export const SETTINGS_ENTRIES = [settingsSet] as const
