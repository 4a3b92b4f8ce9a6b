import { z } from 'zod'
import { defineCommand, defineQuery } from '../../contracts/operation.ts'
import { refuse, type MusterError } from '../../kernel/errors.ts'
import { nearNames } from '../names.ts'
import { BoardRemoved, BoardSet, SavedRemoved, SavedSet } from './entries.ts'
import { boards, savedQueries, type StoredBoard, type StoredSaved } from './queries.ts'
import { boardSchema, savedSchema } from './schema.ts'

const setBy = { version: z.number(), setAtMs: z.number(), setBy: z.string() }
const storedSaved = z.object({ query: savedSchema, ...setBy })
const storedBoard = z.object({ board: boardSchema, ...setBy })
const named = z.object({ name: z.string() })
const PUT_MAX = 200

export const scubaSavedPut = defineCommand({
  name: 'scuba.saved.put',
  summary: 'Save queries under their names, new or instead of those of the same name.',
  input: z.object({ queries: z.array(savedSchema).min(1).max(PUT_MAX) }),
  output: z.object({ names: z.array(z.string()) }),
  decide: (_db, { queries }) => {
    const names = queries.map(({ name }) => name)
    return twiceIn(names) ?? { entries: queries.map((query) => SavedSet.of({ query })), reply: () => ({ names }) }
  },
})

export const scubaSavedList = defineQuery({
  name: 'scuba.saved.list',
  summary: 'List saved queries.',
  input: z.object({}),
  output: z.object({ queries: z.array(storedSaved) }),
  answer: (db) => ({ queries: savedQueries(db) }),
})

export const scubaSavedShow = defineQuery({
  name: 'scuba.saved.show',
  summary: 'Show one saved query.',
  input: named,
  output: storedSaved,
  answer: (db, { name }) => savedNamed(savedQueries(db), name),
})

export const scubaSavedRm = defineCommand({
  name: 'scuba.saved.rm',
  summary: 'Remove a saved query.',
  danger: 'medium',
  input: named,
  output: named,
  decide: (db, { name }) => {
    const found = savedNamed(savedQueries(db), name)
    if (found instanceof Error) return found
    const users = boards(db).filter(({ board }) => board.panels.some(({ saved }) => saved === name))
    const warnings = users.map(({ board }) => `the board ${board.name} shows it; its panel will say that it is gone`)
    return { entries: [SavedRemoved.of({ name })], reply: () => ({ name }), warnings }
  },
})

export const scubaBoardPut = defineCommand({
  name: 'scuba.board.put',
  summary: 'Put boards, new or instead of those of the same name.',
  input: z.object({ boards: z.array(boardSchema).min(1).max(PUT_MAX) }),
  output: z.object({ names: z.array(z.string()) }),
  decide: (db, { boards: wanted }) => {
    const names = wanted.map(({ name }) => name)
    const saved = savedQueries(db)
    for (const { panels } of wanted)
      for (const panel of panels) {
        const found = panel.saved === undefined ? null : savedNamed(saved, panel.saved)
        if (found instanceof Error) return found
      }
    return twiceIn(names) ?? { entries: wanted.map((board) => BoardSet.of({ board })), reply: () => ({ names }) }
  },
})

export const scubaBoardList = defineQuery({
  name: 'scuba.board.list',
  summary: 'List boards.',
  input: z.object({}),
  output: z.object({ boards: z.array(storedBoard) }),
  answer: (db) => ({ boards: boards(db) }),
})

export const scubaBoardShow = defineQuery({
  name: 'scuba.board.show',
  summary: 'Show the panels of a board.',
  input: named,
  output: storedBoard,
  answer: (db, { name }) => boardNamed(boards(db), name),
})

export const scubaBoardRm = defineCommand({
  name: 'scuba.board.rm',
  summary: 'Remove a board.',
  danger: 'medium',
  input: named,
  output: named,
  decide: (db, { name }) => {
    const found = boardNamed(boards(db), name)
    return found instanceof Error ? found : { entries: [BoardRemoved.of({ name })], reply: () => ({ name }) }
  },
})

export const savedOperations = [
  scubaSavedPut,
  scubaSavedList,
  scubaSavedShow,
  scubaSavedRm,
  scubaBoardPut,
  scubaBoardList,
  scubaBoardShow,
  scubaBoardRm,
] as const

function savedNamed(all: readonly StoredSaved[], name: string): StoredSaved | MusterError {
  return (
    all.find(({ query }) => query.name === name) ??
    unknown(
      'saved query',
      'saved',
      name,
      all.map(({ query }) => query.name),
    )
  )
}

function boardNamed(all: readonly StoredBoard[], name: string): StoredBoard | MusterError {
  return (
    all.find(({ board }) => board.name === name) ??
    unknown(
      'board',
      'board',
      name,
      all.map(({ board }) => board.name),
    )
  )
}

function unknown(what: string, topic: 'saved' | 'board', name: string, names: readonly string[]): MusterError {
  const near = nearNames(name, names)
  return refuse('NOT_FOUND', `there is no ${what} ${name}${near.length > 0 ? `; did you mean ${near.join(' or ')}?` : ''}`, {
    hint: `List them with \`muster scuba ${topic} list\`.`,
    details: { near },
  })
}

function twiceIn(names: readonly string[]): MusterError | null {
  const twice = names.find((name, index) => names.indexOf(name) !== index)
  return twice === undefined ? null : refuse('SCUBA_SAVED_INVALID', `${twice} is there twice`)
}
