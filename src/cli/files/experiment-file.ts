import { lintExperiment } from '../../core/chaos/spec/lint.ts'
import { MusterError } from '../../core/kernel/errors.ts'
import { readText, yamlFile, type Path } from './yaml-file.ts'

export interface LintedFile {
  file: string
  experiment: unknown
  issues: { line: number; column: number; path: string; message: string }[]
}

/** Reads an experiment file, YAML or JSON, and says everything that is wrong with it, with line and column. */
export function lintFile(file: string): LintedFile {
  const { yaml, syntax, issue } = yamlFile(readText(file), file)
  const placed = (path: Path, message: string): LintedFile['issues'][number] => {
    const { line, column } = issue(path, message)
    return { line, column, path: path.join('.'), message }
  }
  if (syntax.length > 0)
    return { file, experiment: null, issues: syntax.map(({ line, column, message }) => ({ line, column, path: '', message })) }
  const experiment = yaml.toJS() as unknown
  return { file, experiment, issues: lintExperiment(experiment).map(({ path, message }) => placed(path, message)) }
}

/** The same, for a command that needs it right. */
export function readExperimentFile(file: string): Record<string, unknown> {
  const { experiment, issues } = lintFile(file)
  if (issues.length === 0) return experiment as Record<string, unknown>
  throw new MusterError('CHAOS_SPEC', issueLines(file, issues).join('\n'), { details: { issues } })
}

/** `kill.yaml:3:5: muster.duration: expected text` */
export function issueLines(file: string, issues: LintedFile['issues']): string[] {
  return issues.map(({ line, column, path, message }) => `${file}:${line}:${column}: ${path === '' ? '' : `${path}: `}${message}`)
}
