import { z } from 'zod'
import { defineAction } from '../../contracts/operation.ts'
import { missingLeaves } from './missing.ts'
import {
  diffRequestSchema,
  explainRequestSchema,
  funnelRequestSchema,
  panelRequestSchema,
  queryRequestSchema,
  sessionsRequestSchema,
  traceRequestSchema,
} from '../schema.ts'

const plainValue = z.unknown()
const nullableNumber = z.number().nullable()

const coverage = z.object({
  rows: z.number(),
  segments: z.number(),
  chunks: z.number(),
  leaves: z.number(),
  leavesAsked: z.number().optional(),
  fromMs: nullableNumber,
  toMs: nullableNumber,
  hotToMs: nullableNumber,
  missing: z.array(z.string()),
  byCopy: z.array(z.string()).optional(),
})

/** What every answer says of itself. */
const footing = { rowsScanned: z.number(), coverage, elapsedMs: z.number() }
const cache = z.object({ isWhole: z.boolean(), hits: z.number(), misses: z.number(), artefacts: z.number().optional() })
const rows = z.array(z.array(plainValue))

/** SQL over the tables of the store. */
export const scubaQuery = defineAction({
  name: 'scuba.query',
  summary: 'Answer one SELECT over the tables of the store.',
  isMutation: false,
  input: queryRequestSchema,
  output: z.object({
    columns: z.array(z.object({ name: z.string(), type: z.string() })),
    rows,
    exact: z.boolean(),
    tier: z.enum(['A', 'B']),
    cache,
    engineMs: z.number(),
    compare: z.object({ sinceMs: z.number(), untilMs: z.number(), rows, rowsScanned: z.number(), coverage }).optional(),
    ...footing,
  }),
})

const groups = z.array(
  z.object({
    key: z.record(z.string(), plainValue),
    isOther: z.boolean(),
    values: z.record(z.string(), nullableNumber),
    series: z.array(z.array(nullableNumber)),
    heatmaps: z
      .record(z.string(), z.object({ lows: z.array(z.number()), highest: z.number(), cells: z.array(z.array(z.number())) }))
      .optional(),
  }),
)

export const panelAnswer = z.object({
  table: z.string(),
  by: z.array(z.string()),
  calc: z.array(z.string()),
  stepMs: nullableNumber,
  sinceMs: z.number(),
  untilMs: z.number(),
  groups,
  groupCount: z.number(),
  isGroupCountExact: z.boolean(),
  accuracy: z.record(z.string(), z.object({ exact: z.boolean(), errorMax: nullableNumber, note: z.string().optional() })),
  tier: z.enum(['A', 'B']),
  cache,
  compare: z.object({ sinceMs: z.number(), untilMs: z.number(), groups, rowsScanned: z.number(), coverage }).optional(),
  ...footing,
})

/** A structured query: filter, group, calculate, per time step. */
export const scubaPanel = defineAction({
  name: 'scuba.panel',
  summary: 'Filter, group and calculate over one table, per time step.',
  isMutation: false,
  input: panelRequestSchema,
  output: panelAnswer,
})

/** What a question reads and costs. */
const explained = z.object({
  tier: z.enum(['A', 'B']),
  why: z.string().nullable(),
  tables: z.array(
    z.object({
      name: z.string(),
      columns: z.array(z.string()),
      files: z.number(),
      filesAfterPruning: z.number(),
      segments: z.number(),
      chunks: z.number(),
      rows: z.number(),
      filesKnown: z.number(),
    }),
  ),
  cells: z.number(),
  cellsMax: z.number(),
  artefacts: z.array(z.string()),
  isCached: z.boolean(),
  estimatedMs: nullableNumber,
  analyzed: z.object({ elapsedMs: z.number(), engineMs: z.number(), rows: z.number(), cache, byCopy: z.array(z.string()) }).nullable(),
})

/** What a SELECT would read and cost. */
export const scubaExplain = defineAction({
  name: 'scuba.explain',
  summary: 'Tell what a SELECT reads after pruning and what it costs.',
  isMutation: false,
  input: explainRequestSchema,
  output: explained,
})

/** The same of a panel. */
export const scubaPanelExplain = defineAction({
  name: 'scuba.panel.explain',
  summary: 'Tell what a panel reads, what is known of it, and which artefacts stand in for rows.',
  isMutation: false,
  input: panelRequestSchema,
  output: explained,
})

/** What is different about some rows. */
export const scubaDiff = defineAction({
  name: 'scuba.diff',
  summary: 'Rank the columns of a table by how much a selection of its rows differs from the others.',
  isMutation: false,
  input: diffRequestSchema,
  output: z.object({
    table: z.string(),
    selectionRows: z.number(),
    baselineRows: z.number(),
    columns: z.array(
      z.object({
        name: z.string(),
        difference: z.number(),
        isRanges: z.boolean(),
        values: z.array(z.object({ value: plainValue, selection: z.number(), baseline: z.number() })),
      }),
    ),
    ...footing,
  }),
})

export const scubaFunnel = defineAction({
  name: 'scuba.funnel',
  summary: 'Count who went through which steps, in their order.',
  isMutation: false,
  input: funnelRequestSchema,
  output: z.object({
    table: z.string(),
    steps: z.array(
      z.object({ step: z.string(), actors: z.number(), ofFirst: nullableNumber, ofPrevious: nullableNumber, medianMs: nullableNumber }),
    ),
    ...footing,
  }),
})

const spread = z.object({ p50: nullableNumber, p90: nullableNumber, p99: nullableNumber, max: nullableNumber })

export const scubaSessions = defineAction({
  name: 'scuba.sessions',
  summary: 'Divide what each actor did into sessions and measure them.',
  isMutation: false,
  input: sessionsRequestSchema,
  output: z.object({
    table: z.string(),
    sessions: z.number(),
    actors: z.number(),
    rows: z.number(),
    duration: spread,
    eventsPerSession: spread,
    bounces: z.number(),
    ...footing,
  }),
})

export const scubaTrace = defineAction({
  name: 'scuba.trace',
  summary: 'Show the spans of a trace, and the rows of other tables that carry its id.',
  isMutation: false,
  input: traceRequestSchema,
  output: z.object({
    trace: z.string(),
    startMs: z.number(),
    durationMs: z.number(),
    spans: z.array(
      z.object({
        id: z.string(),
        parent: z.string().nullable(),
        depth: z.number(),
        name: z.string(),
        service: z.string().nullable(),
        startMs: z.number(),
        durationMs: z.number(),
        isError: z.boolean(),
        attributes: z.record(z.string(), plainValue),
      }),
    ),
    rows: z.array(z.object({ table: z.string(), timeMs: z.number(), text: z.string() })),
    ...footing,
  }),
})

export const scubaCache = defineAction({
  name: 'scuba.cache',
  summary: 'Show what is kept of earlier answers and what that has saved.',
  isMutation: false,
  input: z.object({}),
  output: z.object({
    entries: z.number(),
    bytes: z.number(),
    bytesMax: z.number(),
    diskEntries: z.number(),
    diskBytes: z.number(),
    diskBytesMax: z.number(),
    diskReads: z.number(),
    answers: z.number(),
    answerBytes: z.number(),
    answerHits: z.number(),
    partialHits: z.number(),
    partialMisses: z.number(),
    shared: z.number(),
    evicted: z.number(),
    savedMs: z.number(),
    missing: missingLeaves,
  }),
})

export const scubaArtefactList = defineAction({
  name: 'scuba.artefact.list',
  summary: 'List what is built ahead of the questions asked most, what it costs and what it saves.',
  isMutation: false,
  input: z.object({}),
  output: z.object({
    artefacts: z.array(
      z.object({
        /** whose rows it stands for */
        leaf: z.string().default(''),
        table: z.string(),
        kind: z.enum(['bloom', 'rollup', 'native', 'tail copy']),
        /** in words */
        of: z.string(),
        segments: z.number(),
        bytes: z.number(),
        /** groups or keys */
        rows: z.number(),
        /** engine time that building took */
        buildMs: z.number(),
        /** engine time of such questions in the last hour or so */
        heatMs: z.number(),
        uses: z.number(),
        /** engine time that the uses would have taken without */
        savedMs: z.number(),
      }),
    ),
    /** answers that were also made from the rows, and those that differed */
    checked: z.number(),
    differences: z.number(),
    missing: missingLeaves,
  }),
})

/** What a leaf built ahead; one line for each kind of it. */
export type ArtefactsStatus = z.input<typeof scubaArtefactList.output>

/** Questions over rows; boards and streams of a panel are routes of their own, because they go out as they are made. */
export const ASKING = [
  scubaQuery,
  scubaPanel,
  scubaExplain,
  scubaPanelExplain,
  scubaDiff,
  scubaFunnel,
  scubaSessions,
  scubaTrace,
  scubaCache,
  scubaArtefactList,
]
