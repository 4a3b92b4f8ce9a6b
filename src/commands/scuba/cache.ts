import { QueryCommand, remote, type InputOf, type OutputOf, type View } from '../../cli/command.ts'
import { missingExit } from '../../cli/flags/rows.ts'
import { renderCache } from '../../cli/render/scuba-explore.ts'

const operation = remote('scuba.cache', async () => (await import('../../core/scuba/operations.ts')).scubaCache)

export default class ScubaCache extends QueryCommand<typeof operation> {
  static override operation = operation
  static override summary = 'Show what is kept of earlier answers and what that has saved.'
  static override examples = ['<%= config.bin %> scuba cache']

  input(): InputOf<typeof operation> {
    return {}
  }

  render(data: OutputOf<typeof operation>, view: View): string {
    return renderCache(data, view)
  }

  override exitCode(data: OutputOf<typeof operation>): number {
    return missingExit(data)
  }
}
