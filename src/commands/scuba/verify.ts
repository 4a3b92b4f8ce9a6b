import { Args, defined, Flags, QueryCommand, remote, type InputOf, type OutputOf, type Parsed, type View } from '../../cli/command.ts'
import { missingExit } from '../../cli/flags/rows.ts'
import { renderVerify } from '../../cli/render/scuba-keeping.ts'
import { rateFlag } from '../../cli/flags/retention.ts'

const operation = remote('scuba.segment.verify', async () => (await import('../../core/scuba/operations/segments.ts')).scubaVerify)

export default class ScubaVerify extends QueryCommand<typeof operation> {
  static override operation = operation
  static override summary = 'Compare segments with the checksums they were written with; what differs is not read from then on.'
  static override description =
    'Everything is compared once a week anyway. Exits 7 when something is lost, 8 when a leaf could not be asked.'
  static override args = { table: Args.string({ description: 'only this table' }) }
  static override flags = {
    rate: Flags.string({ description: 'read at most this much a second; 200MB/s by default', helpValue: 'SIZE/s' }),
  }
  static override examples = ['<%= config.bin %> scuba verify', '<%= config.bin %> scuba verify requests --rate 50MB/s']

  input({ args, flags }: Parsed<typeof ScubaVerify>): InputOf<typeof operation> {
    return defined({ table: args.table, rate: rateFlag(flags.rate) })
  }

  render(data: OutputOf<typeof operation>, view: View): string {
    return renderVerify(data, view)
  }

  override exitCode({ lost, missing }: OutputOf<typeof operation>): number {
    return lost.length > 0 ? 7 : missingExit({ missing })
  }
}
