import { QueryCommand, remote, type InputOf, type OutputOf, type View } from '../../cli/command.ts'
import { missingExit } from '../../cli/flags/rows.ts'
import { renderArtefacts } from '../../cli/render/scuba-explore.ts'

const operation = remote('scuba.artefact.list', async () => (await import('../../core/scuba/operations.ts')).scubaArtefactList)

export default class ScubaArtefacts extends QueryCommand<typeof operation> {
  static override operation = operation
  static override summary = 'List what is built ahead of the questions asked most: its size, what building took, what it saved.'
  static override description =
    'Rollups stand in for rows in panels, filters say which rows can have a value, native copies hold columns that are read often. They are built and dropped by use, and an answer is the same with and without them.'
  static override examples = ['<%= config.bin %> scuba artefacts']

  input(): InputOf<typeof operation> {
    return {}
  }

  render(data: OutputOf<typeof operation>, view: View): string {
    return renderArtefacts(data, view)
  }

  override exitCode(data: OutputOf<typeof operation>): number {
    return missingExit(data)
  }
}
