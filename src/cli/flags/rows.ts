import { Flags } from '../oclif.ts'
import { paramsFlag } from './query.ts'
import { durationFlag, rangeFlags } from './time.ts'

/** Which rows a question is about, and how long it may take. @param usual the range without `--since` */
export const rowFlags = (usual: '1h' | 'all rows') => ({
  since: Flags.string({ description: `rows from then on: 15m, or a time; ${usual} by default`, helpValue: 'TIME' }),
  until: Flags.string({ description: 'rows before then', helpValue: 'TIME' }),
  deadline: Flags.string({ description: 'longest time it may take; 5s by default', helpValue: 'DURATION' }),
  param: Flags.string({
    description: 'value of $NAME in a condition; may be repeated',
    helpValue: 'NAME=VALUE',
    multiple: true,
    multipleNonGreedy: true,
  }),
})

interface RowFlags {
  since?: string | undefined
  until?: string | undefined
  deadline?: string | undefined
  param?: string[] | undefined
}

/** What they say to an operation. */
export const rowInput = (flags: RowFlags) => ({
  params: paramsFlag(flags.param),
  ...rangeFlags(flags, Date.now()),
  deadlineMs: durationFlag('deadline', flags.deadline, 1),
})

/** 8 when a leaf is not in the answer. */
export const missingExit = ({ missing }: { missing: readonly string[] }): number => (missing.length > 0 ? 8 : 0)

/** Exit code of an answer: 8 when not all rows could be read. */
export const coverageExit = ({ coverage }: { coverage: { rows: number } }): number => (coverage.rows < 1 ? 8 : 0)
