import { existsSync, readFileSync } from 'node:fs'
import { statePaths } from '../platform/paths.ts'
import { complete, GROUP_TASKS_SQL, NAMES_MAX, NAMES_SQL, TASK_KINDS, type Candidate, type CompletionTable } from './complete.ts'

/**
 * Answers `muster __complete WORD…` before oclif loads: one `value<TAB>description` a line for the last word. A shell
 * waits for it on each TAB, so it never fails aloud and asks no server: names come from the state on disk.
 */
export function run(words: string[]): void {
  process.stdout.on('error', () => {})
  try {
    const commands = JSON.parse(readFileSync(new URL('../completion.json', import.meta.url), 'utf8')) as CompletionTable
    const candidates = complete(words, commands, (kind) => namesFromState(kind, words))
    process.stdout.write(candidates.map(({ value, description }) => `${value}\t${description}\n`).join(''))
  } catch {
    process.exitCode = 1 // nothing to offer; the shell shows nothing
  }
}

/** Through node's own SQLite, which is there already; the native module would cost half of the 40 ms. */
function namesFromState(kind: string, words: readonly string[]): Candidate[] {
  const group = TASK_KINDS.has(kind) ? /^([^/]+)\/([^[]+)\[/.exec(words.at(-1) ?? '') : null
  const sql = group === null ? NAMES_SQL[kind === 'sev' ? 'incident' : kind] : GROUP_TASKS_SQL
  const context = words[words.indexOf('--context') + 1]
  const { stateDb } = statePaths((words.includes('--context') ? context : undefined) ?? process.env['MUSTER_CONTEXT'] ?? 'default')
  if (sql === undefined || !existsSync(stateDb)) return []
  process.emitWarning = () => {} // node:sqlite says it is experimental, into the command line
  const { DatabaseSync } = process.getBuiltinModule('node:sqlite')
  const db = new DatabaseSync(stateDb, { readOnly: true, timeout: 20 })
  try {
    return db
      .prepare(`SELECT value, description FROM (${sql}) LIMIT ${NAMES_MAX}`)
      .all(...(group === null ? [] : [group[1] ?? '', group[2] ?? '']))
      .map((row) => ({ value: String(row['value']), description: String(row['description'] ?? '') }))
  } catch {
    return [] // the table is not there yet
  } finally {
    db.close()
  }
}
