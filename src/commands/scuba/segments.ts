import { Args, defined, QueryCommand, remote, type InputOf, type OutputOf, type Parsed, type View } from '../../cli/command.ts'
import { missingExit } from '../../cli/flags/rows.ts'
import { renderSegments } from '../../cli/render/scuba-keeping.ts'

const operation = remote('scuba.segment.list', async () => (await import('../../core/scuba/operations/segments.ts')).scubaSegmentList)

export default class ScubaSegments extends QueryCommand<typeof operation> {
  static override operation = operation
  static override summary = 'List segments: their time, rows, size, and whether they are read.'
  static override args = { table: Args.string({ description: 'only this table' }) }
  static override examples = ['<%= config.bin %> scuba segments', '<%= config.bin %> scuba segments requests -o wide']

  input({ args }: Parsed<typeof ScubaSegments>): InputOf<typeof operation> {
    return defined({ table: args.table })
  }

  render(data: OutputOf<typeof operation>, view: View): string {
    return renderSegments(data, view)
  }

  override exitCode(data: OutputOf<typeof operation>): number {
    return missingExit(data)
  }
}
