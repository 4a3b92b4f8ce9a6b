import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { z } from 'zod'
import type { Controller, System } from '../../src/core/contracts/controller.ts'
import { defineEntry } from '../../src/core/contracts/entry.ts'
import { defineCommand, defineQuery } from '../../src/core/contracts/operation.ts'
import { refuse } from '../../src/core/kernel/errors.ts'
import type { ControlLog } from '../../src/server/state/control-log.ts'
import { openTestLog } from './log.ts'

/** The smallest system that has everything: letters that are to be posted, each once. */
export const letterWritten = defineEntry({
  type: 'toy.LetterWritten',
  body: z.object({ to: z.string() }),
  apply: (db, body, meta) => void db.run('INSERT INTO toy_letter(id, receiver, posted) VALUES (?, ?, 0)', meta.position, body.to),
})
export const letterPosted = defineEntry({
  type: 'toy.LetterPosted',
  body: z.object({ id: z.int() }),
  apply: (db, body) => void db.run('UPDATE toy_letter SET posted = posted + 1 WHERE id = ?', body.id),
})

export const writeLetter = defineCommand({
  name: 'toy.letter.write',
  summary: 'Write a letter.',
  input: z.strictObject({ to: z.string() }),
  output: z.object({ id: z.int() }),
  decide: (_db, input, ctx) => {
    if (input.to === 'nobody') return refuse('NOT_FOUND', 'nobody lives nowhere')
    return {
      entries: [letterWritten.of(input)],
      reply: () => ({ id: ctx.position }),
      warnings: input.to === 'slow' ? ['it will take long'] : [],
    }
  },
})
export const burnLetters = defineCommand({
  name: 'toy.letter.burn',
  summary: 'Write a letter to the fire.',
  role: 'admin',
  danger: 'high',
  confirmName: () => 'all letters',
  input: z.strictObject({}),
  output: z.object({}),
  decide: () => ({ entries: [letterWritten.of({ to: 'fire' })], reply: () => ({}) }),
})
export const listLetters = defineQuery({
  name: 'toy.letter.list',
  summary: 'List letters.',
  input: z.object({ posted: z.boolean().optional() }),
  output: z.array(z.object({ id: z.int(), receiver: z.string(), posted: z.int() })),
  answer: (db, input) =>
    db
      .all<{ id: number; receiver: string; posted: number }>('SELECT * FROM toy_letter ORDER BY id')
      .filter((row) => input.posted === undefined || row.posted > 0 === input.posted),
})

/** Asks for the posting of each letter that was not posted yet. */
export const postController: Controller = {
  name: 'toy.post',
  wakes: ['toy.'],
  decide: () => ({ entries: [], wakeAt: null }),
  effects: (db) =>
    db
      .all<{ id: number }>('SELECT id FROM toy_letter WHERE posted = 0')
      .map(({ id }) => ({ key: `letter/${id}`, kind: 'toy.post', body: { id } })),
}

export const toySystem: System = {
  name: 'toy',
  tables: ['CREATE TABLE toy_letter (id INTEGER PRIMARY KEY, receiver TEXT NOT NULL, posted INTEGER NOT NULL)'],
  entries: [letterWritten, letterPosted],
  operations: [writeLetter, burnLetters, listLetters],
  controllers: [postController],
}

/** A log of the toy system in a folder of its own. */
export async function openToy(
  folder = mkdtempSync(join(tmpdir(), 'muster-toy-')),
): Promise<{ folder: string; control: ControlLog; end: () => Promise<void> }> {
  const control = await openTestLog({
    folder: join(folder, 'log'),
    dbFile: join(folder, 'state.db'),
    systems: [toySystem],
    segmentBytes: 256 * 1024,
  })
  return {
    folder,
    control,
    end: async () => {
      await control.close()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
