import { QueryCommand, remote, type InputOf, type OutputOf, type View } from '../../../cli/command.ts'
import { renderQuotas } from '../../../cli/render/scuba-keeping.ts'

const operation = remote('scuba.quota.list', async () => (await import('../../../core/scuba/operations/quotas.ts')).scubaQuotaList)

export default class ScubaQuotaList extends QueryCommand<typeof operation> {
  static override operation = operation
  static override summary = 'List the quotas, with what came in and what was refused.'
  static override examples = ['<%= config.bin %> scuba quota list']

  input(): InputOf<typeof operation> {
    return {}
  }

  render(data: OutputOf<typeof operation>, view: View): string {
    return renderQuotas(data, view)
  }
}
