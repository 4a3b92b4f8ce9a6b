import type { MusterError } from '../../core/kernel/errors.ts'
import type { Problem } from '../../core/sev/schedule/compile.ts'
import { OncallSchema, type Oncall } from '../../core/sev/schema.ts'
import { issuesError, readYaml, yamlFile, type FileIssue, type YamlFile } from './yaml-file.ts'

/** An on-call file as it was read, and the way from a path in it to its line. */
export interface OncallFile {
  document: Oncall
  name: string
  /** `oncall.yaml:12:5 nobody is called zoe` */
  place: (problem: Pick<Problem, 'path' | 'message'>) => FileIssue
}

/** What is wrong with a file, all at once. */
export function scheduleError(issues: readonly FileIssue[], hint?: string): MusterError {
  return issuesError('SEV_SCHEDULE', issues, hint)
}

/**
 * Reads an on-call file (YAML or JSON; `-`: standard input) and checks its form.
 * @throws MusterError FILE_UNREADABLE, SEV_SCHEDULE with `file:line:column` of each issue
 */
export function loadOncallFile(path: string): OncallFile {
  return checked(readYaml(path))
}

/** {@link loadOncallFile} of a text; `name` is for messages. */
export function parseOncallFile(text: string, name: string): OncallFile {
  return checked(yamlFile(text, name))
}

function checked(file: YamlFile): OncallFile {
  if (file.syntax.length > 0) throw scheduleError(file.syntax)
  const parsed = OncallSchema.safeParse(file.yaml.toJS())
  if (parsed.success) return { document: parsed.data, name: file.file, place: ({ path, message }) => file.issue(path, message) }
  throw scheduleError(
    parsed.error.issues.flatMap((issue) => {
      const at = issue.path.map((part) => (typeof part === 'symbol' ? String(part) : part))
      // Of an unknown key the key itself is the place, not the map around it.
      if (issue.code === 'unrecognized_keys') return issue.keys.map((key) => file.issue(at, `unknown key "${key}"`, key))
      return [file.issue(at, issue.message)]
    }),
  )
}
