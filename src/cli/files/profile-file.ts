import { existsSync } from 'node:fs'
import type { z } from 'zod'
import { profileFileSchema } from '../../core/deploy/profile.ts'
import { issuesError, readText, yamlFile, type Path } from './yaml-file.ts'

/** `--profile`: the name of a built-in one, or a YAML file. Gives what the operation takes. @throws MusterError with line and column */
export function profileFlag(text: string): string | z.input<typeof profileFileSchema> {
  if (!/\.(ya?ml|json)$/.test(text) && !existsSync(text)) return text
  const { yaml, syntax, issue } = yamlFile(readText(text), text)
  if (syntax.length > 0) throw issuesError('DEPLOY_PROFILE_INVALID', syntax)
  const document = yaml.toJS() as z.input<typeof profileFileSchema>
  const checked = profileFileSchema.safeParse(document)
  if (checked.success) return document
  const issues = checked.error.issues.flatMap((found) => {
    const path = found.path as Path
    if (found.code === 'unrecognized_keys') return found.keys.map((key) => issue(path, `unknown key "${key}"`, key))
    const isMissing = found.code === 'invalid_type' && found.message.endsWith('received undefined')
    return [issue(path, isMissing ? `${path.at(-1) ?? 'it'} is missing` : `${path.join('.')}: ${found.message}`)]
  })
  throw issuesError('DEPLOY_PROFILE_INVALID', issues, 'Compare it with templates/profiles/careful.yaml.')
}
