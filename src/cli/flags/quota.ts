import { MusterError } from '../../core/kernel/errors.ts'
import type { Quota } from '../../core/scuba/quota/quota.ts'

/** `--token NAME` or `--table T`: whose quota is meant. */
export function quotaOf({ token, table }: { token?: string | undefined; table?: string | undefined }): Pick<Quota, 'kind' | 'name'> {
  if (token !== undefined) return { kind: 'token', name: token }
  if (table !== undefined) return { kind: 'table', name: table }
  throw new MusterError('USAGE', 'a quota is of a token or of a table', { hint: 'Give --token NAME or --table TABLE.' })
}
