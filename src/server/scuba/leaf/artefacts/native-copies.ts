import { MusterError } from '../../../../core/kernel/errors.ts'
import { quoteName } from '../../../../core/scuba/names.ts'
import { readNames } from '../../../../core/scuba/sql/expression.ts'
import { hasNode } from '../../../../core/scuba/sql/nodes.ts'
import { isCode, withoutCodes } from '../../../../core/scuba/plan/codes.ts'
import { columnsOf, copiesIn, viewSql, type ViewFile } from '../../../../core/scuba/plan/view.ts'
import type { Artefact, NativeSpec } from '../../../../core/scuba/warm/artefact.ts'
import { coversNative, isWorthCopies, nativeQuestion, nativeSavedMs, type NativeQuestion } from '../../../../core/scuba/warm/native.ts'
import { THREADS } from '../../engine-threads.ts'
import { Noted } from '../noted.ts'
import type { ReadTable } from '../reading.ts'
import type { Artefacts } from './artefacts.ts'
import type { Shelf } from './shelf.ts'

/** What is to be read, perhaps from copies. */
export interface CopyReading {
  table: Pick<ReadTable, 'name' | 'view'>
  /** null: nothing may stand in for the rows */
  question: NativeQuestion | null
  /** those whose rows are read */
  files: readonly ViewFile[]
  /** what the question is known by */
  key: string
  /** whether copies are to be made for it; not, when something else will answer it */
  isWanted: boolean
}

/** The same files, with copies read in place of some. */
export type Swap = (files: readonly ViewFile[]) => readonly ViewFile[]

const same: Swap = (files) => files
const DIGEST_MS = 60_000
const QUESTIONS_MAX = 1000

/**
 * Reads native copies in place of segments. Their blocks have checksums that the engine compares whenever it reads them, their columns have
 * names, and a file that is gone cannot be opened: whatever is wrong with one is an error, and then the same question reads the segments.
 */
export class NativeCopies {
  readonly #artefacts: Artefacts
  readonly #shelf: Shelf
  /** questions that failed over copies that are whole */
  readonly #failed = new Noted()
  /** what a question took from segments at least, ms a row; more was for others that ran meanwhile */
  readonly #leastMs = new Map<string, number>()
  #scrubbed = 0

  constructor(artefacts: Artefacts, shelf: Shelf) {
    this.#artefacts = artefacts
    this.#shelf = shelf
  }

  /**
   * Answers a question from copies where there are some, and notes what they saved or would have saved.
   * @param run makes the answer of the files that it is given by `swap`
   * @returns how many copies were read
   */
  async read<T>(asked: CopyReading, run: (swap: Swap) => Promise<T>): Promise<{ answer: T; copies: number }> {
    const { table, question, files } = asked
    const found = this.find(question, files, asked.key)
    const started = performance.now()
    if (question === null || found.size === 0) {
      const answer = await run(same)
      this.#note(asked, performance.now() - started)
      return { answer, copies: 0 }
    }
    const savedMs = nativeSavedMs(question, rowsOf(found, files), THREADS)
    const swap: Swap = (of) => of.map((file) => this.#swapped(file, found.get(file.path)))
    let answer: T
    try {
      answer = await run(swap)
    } catch (error) {
      if (isOfLimits(error)) throw error
      const plain = await run(same)
      await this.#failedOver([...found.values()], asked.key, error)
      return { answer: plain, copies: 0 }
    }
    this.#note(asked, performance.now() - started + savedMs)
    if (this.#artefacts.isToBeChecked() && !(await this.#isSame(asked.table, question.spec, files, found))) {
      await this.#artefacts.differed(table.name, 'a native copy')
      return { answer: await run(same), copies: 0 }
    }
    this.#artefacts.used([...found.values()], savedMs)
    return { answer, copies: found.size }
  }

  /** Path of a segment → a copy with all columns of a question; the one with the fewest. */
  find(question: NativeQuestion | null, files: readonly ViewFile[], key: string): Map<string, Artefact> {
    const found = new Map<string, Artefact>()
    if (question === null || question.savedNs <= 0 || this.#shelf.isEmpty || this.#failed.has(key)) return found
    for (const { path, kind } of files) {
      const [best] = (kind === 'segment' ? this.#shelf.of(path) : [])
        .filter(({ spec }) => spec.kind === 'native' && coversNative(spec, question.spec))
        .sort((a, b) => a.bytes - b.bytes)
      if (best) found.set(path, best)
    }
    return found
  }

  /** Compares one copy with what was written, another one each time. */
  async scrub(): Promise<void> {
    const copies = this.#shelf.all().filter(({ spec }) => spec.kind === 'native')
    const one = copies[(this.#scrubbed += 1) % Math.max(1, copies.length)]
    if (!one || (await this.#shelf.isIntact(one))) return
    this.#artefacts.log.warn('a native copy is not what was written; it is dropped', { file: one.file })
    this.#shelf.drop([one])
  }

  #swapped(file: ViewFile, artefact: Artefact | undefined): ViewFile {
    if (artefact?.spec.kind !== 'native') return file
    const columns = Object.keys(artefact.spec.columns)
    return { ...file, codes: columns.filter(isCode), copy: { name: artefact.file, path: this.#shelf.pathOf(artefact), columns } }
  }

  /** @param tookMs from segments */
  #note({ table, question, files, key, isWanted }: CopyReading, tookMs: number): void {
    const sealed = files.filter(({ kind }) => kind === 'segment')
    if (question === null || !isWanted || sealed.length === 0) return
    const rows = sealed.reduce((sum, file) => sum + file.rows, 0)
    const leastMs = Math.min(tookMs / Math.max(1, rows), this.#leastMs.get(key) ?? Infinity)
    if (this.#leastMs.size >= QUESTIONS_MAX) this.#leastMs.clear()
    this.#leastMs.set(key, leastMs)
    const savedMs = nativeSavedMs(question, rows, THREADS)
    if (isWorthCopies(savedMs, leastMs * rows))
      this.#artefacts.note(table.name, [question.spec], savedMs, Math.min(...sealed.map(({ minUs }) => minUs)))
  }

  /** The question has been answered without them. */
  async #failedOver(copies: readonly Artefact[], key: string, error: unknown): Promise<void> {
    const broken: Artefact[] = []
    for (const copy of copies) if (!(await this.#shelf.isIntact(copy))) broken.push(copy)
    this.#artefacts.log.warn('native copies could not be read; the segments were', { error: String(error), dropped: broken.length })
    this.#shelf.drop(broken)
    if (broken.length === 0) this.#failed.add(key)
  }

  /** Whether one of the copies has the rows of its segment; in which order is nobody's business. */
  async #isSame(
    { view }: CopyReading['table'],
    { columns: all }: NativeSpec,
    files: readonly ViewFile[],
    found: ReadonlyMap<string, Artefact>,
  ): Promise<boolean> {
    const file = files.find(({ path }) => found.has(path))
    if (!file) return true
    const { stretches: _stretches, ...whole } = file
    const columns = withoutCodes(all)
    const digests: string[] = []
    for (const one of [whole, this.#swapped(whole, found.get(file.path))]) {
      const { sql } = viewSql({ columns, retyped: view.retyped, files: [one] })
      const rows = await this.#artefacts.engines.run({
        sql: `SELECT count(*), sum(hash(${Object.keys(columns).map(quoteName).join(', ')})::HUGEINT)::VARCHAR FROM (${sql})`,
        ...{ views: [], params: {}, copies: copiesIn([one]), deadlineMs: DIGEST_MS },
      })
      digests.push(JSON.stringify(rows.rows))
    }
    return digests[0] === digests[1]
  }
}

/** As {@link NativeCopies.read}, also while nothing is built ahead. */
export async function overCopies<T>(
  artefacts: Artefacts | null,
  asked: CopyReading,
  run: (swap: Swap) => Promise<T>,
): Promise<{ answer: T; copies: number }> {
  return artefacts === null ? { answer: await run(same), copies: 0 } : artefacts.copies.read(asked, run)
}

/** Names of all that a statement reads, lower case; null where it may read more, or goes on over an error. */
export function namesRead(tree: unknown): ReadonlySet<string> | null {
  const { names, hasStar } = readNames(tree)
  return hasStar || hasNode(tree, (node) => node['type'] === 'OPERATOR_TRY') ? null : names
}

/** What copies could do for a statement over one table, of which the names are known that it reads. */
export function questionOf({ view }: Pick<ReadTable, 'view'>, names: ReadonlySet<string>): NativeQuestion | null {
  const types = columnsOf(view)
  const asked = Object.keys(types).filter((name) => names.has(name.toLowerCase()))
  return nativeQuestion(view, asked, {
    unread: names.has('time') ? [] : ['time'],
    hasTextKeys: asked.some((name) => types[name] === 'VARCHAR'),
  })
}

const rowsOf = (found: ReadonlyMap<string, Artefact>, files: readonly ViewFile[]): number =>
  files.reduce((sum, { path, rows }) => sum + (found.has(path) ? rows : 0), 0)

/** It would fail from the segments, too, and take as long. */
const isOfLimits = (error: unknown): boolean => error instanceof MusterError && /^SCUBA_(DEADLINE|MEMORY|TOO_LARGE|BUSY)$/.test(error.code)
