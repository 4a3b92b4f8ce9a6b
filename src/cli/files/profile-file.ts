import { existsSync } from 'node:fs'
import type { z } from 'zod'
import { profileFileSchema } from '../../core/deploy/profile.ts'
import { MusterError } from '../../core/kernel/errors.ts'
import { parseYaml, readText } from './yaml-file.ts'

/** `--profile`: the name of a built-in one, or a YAML file. Gives what the operation takes. */
export function profileFlag(text: string): string | z.input<typeof profileFileSchema> {
  if (!/\.(ya?ml|json)$/.test(text) && !existsSync(text)) return text
  const document = parseYaml(readText(text), text, 'DEPLOY_PROFILE_INVALID').toJS() as z.input<typeof profileFileSchema>
  const checked = profileFileSchema.safeParse(document)
  if (checked.success) return document
  const lines = checked.error.issues.map((issue) => `${text}: ${issue.path.join('.') || 'the profile'}: ${issue.message}`)
  throw new MusterError('DEPLOY_PROFILE_INVALID', lines.join('\n'), { details: { issues: checked.error.issues } })
}
