import { defined, Flags, ChangeCommand, remote, type InputOf, type OutputOf, type Parsed } from '../../../cli/command.ts'
import { quotaOf } from '../../../cli/flags/quota.ts'
import { numberFlag } from '../../../cli/flags/retention.ts'
import { quotaText } from '../../../cli/render/scuba-keeping.ts'

const operation = remote('scuba.quota.put', async () => (await import('../../../core/scuba/operations/quotas.ts')).scubaQuotaPut)

export default class ScubaQuotaPut extends ChangeCommand<typeof operation> {
  static override operation = operation
  static override summary = 'Set how many bytes a second may come in with a token, or for a table.'
  static override description =
    'What is beyond is refused with 429 (by way of OTLP and remote-write: 503) and the time to wait; senders keep the rows and send them again. ' +
    'Bytes are counted as they are sent, compressed ones too, by each leaf that rows come to.'
  static override flags = {
    token: Flags.string({ description: 'of this token (`muster token ls`)', helpValue: 'NAME', exclusive: ['table'] }),
    table: Flags.string({ description: 'of this table', helpValue: 'TABLE', exclusive: ['token'] }),
    'mb-per-second': Flags.string({ description: 'so many 10^6 bytes a second', helpValue: 'MB', required: true }),
    burst: Flags.string({ description: 'at once after a pause; without it what comes in ten seconds', helpValue: 'MB' }),
  }
  static override examples = [
    '<%= config.bin %> scuba quota put --token ci --mb-per-second 5 --yes',
    '<%= config.bin %> scuba quota put --table clicks --mb-per-second 20 --burst 500 --plan',
  ]

  input({ flags }: Parsed<typeof ScubaQuotaPut>): InputOf<typeof operation> {
    const bytes = (name: 'mb-per-second' | 'burst'): number | undefined => {
      const megabytes = numberFlag(name, flags[name])
      return megabytes === undefined ? undefined : megabytes * 1e6
    }
    return defined({ ...quotaOf(flags), bytesPerSecond: bytes('mb-per-second') ?? 0, burstBytes: bytes('burst') })
  }

  render(quota: OutputOf<typeof operation>): string {
    return `The ${quota.kind} ${quota.name} may send ${quotaText(quota)}.`
  }
}
