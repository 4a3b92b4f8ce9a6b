import { z } from 'zod'
import { defineCommand, defineQuery } from '../../contracts/operation.ts'
import { CATALOGUE } from '../catalogue.ts'
import { chaosEnvironmentSet, chaosHalted, chaosResumed } from '../machine.ts'
import { environmentOf, haltRow, liveRuns } from '../rows.ts'
import { lintExperiment } from '../spec/lint.ts'
import { haltSchema, haltView } from '../views.ts'

export const haltSet = defineCommand({
  name: 'chaos.halt.set',
  summary: 'Undo every fault now and let no run start until it is resumed.',
  input: z.strictObject({ reason: z.string().max(1000).prefault('halted by a person') }),
  output: haltSchema,
  decide: (db, input) => {
    const live = liveRuns(db).map(({ id }) => id)
    return { entries: [chaosHalted.of(input)], reply: (after) => haltView(after, live) }
  },
})

export const haltClear = defineCommand({
  name: 'chaos.halt.clear',
  summary: 'Let chaos runs start again.',
  role: 'admin',
  danger: 'high',
  confirmName: () => 'chaos',
  input: z.strictObject({ reason: z.string().max(1000).prefault('') }),
  output: haltSchema,
  decide: (db, input) => ({ entries: haltRow(db) === null ? [] : [chaosResumed.of(input)], reply: (after) => haltView(after, []) }),
})

export const haltGet = defineQuery({
  name: 'chaos.halt.get',
  summary: 'Say whether chaos is halted, by whom and why.',
  input: z.strictObject({}),
  output: haltSchema,
  answer: (db) =>
    haltView(
      db,
      liveRuns(db).map(({ id }) => id),
    ),
})

export const environmentSet = defineCommand({
  name: 'chaos.environment.set',
  summary: 'Say which environment this fleet is; experiments name the one they are for.',
  role: 'admin',
  input: z.strictObject({ environment: z.string().regex(/^[a-z][a-z0-9-]{0,30}$/) }),
  output: z.object({ environment: z.string() }),
  decide: (db, input) => ({
    entries: environmentOf(db) === input.environment ? [] : [chaosEnvironmentSet.of(input)],
    reply: () => input,
  }),
})

export const experimentLint = defineQuery({
  name: 'chaos.experiment.lint',
  summary: 'Check an experiment document.',
  input: z.strictObject({ experiment: z.unknown() }),
  output: z.object({ issues: z.array(z.object({ path: z.array(z.union([z.string(), z.number()])), message: z.string() })) }),
  answer: (_db, input) => ({ issues: lintExperiment(input.experiment) }),
})

export const catalogueGet = defineQuery({
  name: 'chaos.catalogue.get',
  summary: 'List what can be broken, and what undoes it.',
  input: z.strictObject({}),
  output: z.object({
    faults: z.array(
      z.object({
        fault: z.string(),
        summary: z.string(),
        by: z.enum(['node', 'mesh']),
        class: z.string(),
        undoneBy: z.string(),
        arguments: z.record(z.string(), z.string()),
      }),
    ),
  }),
  answer: () => ({ faults: CATALOGUE.map((kind) => ({ ...kind })) }),
})
