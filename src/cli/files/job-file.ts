import { isMap, type Document } from 'yaml'
import { MusterError } from '../../core/kernel/errors.ts'
import { jobSpecOf, type JobSpec } from '../../core/tw/job-spec.ts'
import { issuesError, parseYaml, readYaml, yamlFile, type YamlFile } from './yaml-file.ts'

export interface JobFile {
  /** as it stands in the file, after `--set` */
  document: Record<string, unknown>
  spec: JobSpec
}

/**
 * Reads and checks a job file (`-`: standard input). Everything wrong with it is told at once, as `file:line:column what`.
 * @param sets `path=value`, each laid over the document: `groups.api.count=8`
 * @throws MusterError FILE_UNREADABLE, TW_SPEC_INVALID (details: `{issues: FileIssue[]}`)
 */
export function loadJobFile(path: string, sets: readonly string[] = []): JobFile {
  return checked(readYaml(path), sets)
}

/** {@link loadJobFile} of a text; `file` is only for messages. */
export function parseJobFile(text: string, file: string, sets: readonly string[] = []): JobFile {
  return checked(yamlFile(text, file), sets)
}

function checked(file: YamlFile, sets: readonly string[]): JobFile {
  if (file.syntax.length > 0) throw issuesError('TW_SPEC_INVALID', file.syntax)
  for (const set of sets) applySet(file.yaml, set)
  const document: unknown = file.yaml.toJS()
  if (document === null || typeof document !== 'object' || Array.isArray(document)) {
    const message = 'a job file is a map that begins with `job: NAME`'
    throw issuesError('TW_SPEC_INVALID', [{ file: file.file, line: 1, column: 1, message }])
  }
  const result = jobSpecOf(document)
  if (!result.ok)
    throw issuesError(
      'TW_SPEC_INVALID',
      result.issues.map((issue) => file.issue(issue.path, issue.message, issue.key)),
    )
  return { document: document as Record<string, unknown>, spec: result.spec }
}

/** `groups.api.count=8`: the value is read as YAML, so numbers stay numbers. */
function applySet(yaml: Document, set: string): void {
  const cut = set.indexOf('=')
  if (cut <= 0)
    throw new MusterError('USAGE', `--set "${set}" is not of the form PATH=VALUE`, { hint: 'For example --set groups.api.count=8' })
  const path = set.slice(0, cut).split('.')
  for (let length = 1; length < path.length; length += 1) {
    const node = yaml.getIn(path.slice(0, length), true)
    if (node !== undefined && !isMap(node))
      throw new MusterError('USAGE', `--set "${set}": ${path.slice(0, length).join('.')} is not a map`)
  }
  yaml.setIn(path, parseYaml(set.slice(cut + 1), '--set', 'TW_SPEC_INVALID').toJS())
}
