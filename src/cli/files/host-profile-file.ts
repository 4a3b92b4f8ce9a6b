import { hostProfileSchema, type HostProfileFile } from '../../core/tw/profiles/schema.ts'
import { issuesError, readYaml, type Path } from './yaml-file.ts'

/** A host profile as it is written, `-` being standard input. @throws MusterError FILE_UNREADABLE, TW_PROFILE_INVALID with line and column */
export function readHostProfile(path: string): HostProfileFile {
  const { yaml, syntax, issue } = readYaml(path)
  if (syntax.length > 0) throw issuesError('TW_PROFILE_INVALID', syntax)
  const document = yaml.toJS() as HostProfileFile
  const checked = hostProfileSchema.safeParse(document)
  if (checked.success) return document
  const issues = checked.error.issues.flatMap((found) => {
    const at = found.path as Path
    if (found.code === 'unrecognized_keys') return found.keys.map((key) => issue(at, `unknown key \`${key}\``, key))
    if (found.code === 'invalid_key') return [issue(at.slice(0, -1), found.issues[0]?.message ?? found.message, String(at.at(-1)))]
    return [issue(at, `${at.join('.') || 'the profile'}: ${found.message}`)]
  })
  throw issuesError('TW_PROFILE_INVALID', issues)
}
