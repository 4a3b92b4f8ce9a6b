import type { z } from 'zod'
import { MusterError } from '../core/kernel/errors.ts'

/** What the schema of an operation says against its input, as one USAGE error. */
export function inputError(error: z.ZodError): MusterError {
  const text = error.issues.map((issue) => (issue.path.length > 0 ? `${issue.path.join('.')}: ${issue.message}` : issue.message)).join('; ')
  return new MusterError('USAGE', text, { details: error.issues })
}
