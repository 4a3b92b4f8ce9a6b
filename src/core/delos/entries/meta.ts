import { z } from 'zod'
import { defineEntry } from '../../contracts/entry.ts'
import { canonicalJson } from '../../kernel/json.ts'
import { labelsSchema, metaKindSchema, metaNameSchema } from '../meta/schema.ts'

const which = { kind: metaKindSchema, name: metaNameSchema }

export const metaPut = defineEntry({
  type: 'delos.MetaPut',
  body: z.object({ ...which, labels: labelsSchema, body: z.unknown() }),
  apply: (db, { kind, name, labels, body }, meta) => {
    db.run(
      'INSERT OR REPLACE INTO delos_meta (kind, name, version, labels, author, at, body) VALUES (?, ?, ?, ?, ?, ?, ?)',
      kind,
      name,
      meta.position,
      canonicalJson(labels),
      meta.actor,
      meta.at,
      JSON.stringify(body),
    )
    db.run('DELETE FROM delos_meta_label WHERE kind = ? AND name = ?', kind, name)
    for (const [label, value] of Object.entries(labels))
      db.run('INSERT INTO delos_meta_label (label, value, kind, name) VALUES (?, ?, ?, ?)', label, value, kind, name)
  },
})

export const metaDeleted = defineEntry({
  type: 'delos.MetaDeleted',
  body: z.object(which),
  apply: (db, { kind, name }) => {
    db.run('DELETE FROM delos_meta WHERE kind = ? AND name = ?', kind, name)
    db.run('DELETE FROM delos_meta_label WHERE kind = ? AND name = ?', kind, name)
  },
})

export const META_ENTRIES = [metaPut, metaDeleted] as const
