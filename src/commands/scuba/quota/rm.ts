import { Flags, ChangeCommand, remote, type InputOf, type OutputOf, type Parsed } from '../../../cli/command.ts'
import { quotaOf } from '../../../cli/flags/quota.ts'

const operation = remote('scuba.quota.rm', async () => (await import('../../../core/scuba/operations/quotas.ts')).scubaQuotaRm)

export default class ScubaQuotaRm extends ChangeCommand<typeof operation> {
  static override operation = operation
  static override summary = 'Remove a quota: the token or the table may send as much as the store can take.'
  static override flags = {
    token: Flags.string({ description: 'of this token', helpValue: 'NAME', exclusive: ['table'] }),
    table: Flags.string({ description: 'of this table', helpValue: 'TABLE', exclusive: ['token'] }),
  }
  static override examples = ['<%= config.bin %> scuba quota rm --token ci --yes']

  input({ flags }: Parsed<typeof ScubaQuotaRm>): InputOf<typeof operation> {
    return quotaOf(flags)
  }

  render({ kind, name }: OutputOf<typeof operation>): string {
    return `The ${kind} ${name} has no quota any more.`
  }
}
