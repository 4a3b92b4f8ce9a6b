import { ChangeCommand, Flags, remote, type OutputOf, type Parsed } from '../../../cli/command.ts'
import { durationFlag } from '../../../cli/flags/time.ts'
import { renderJoinToken } from '../../../cli/render/join-token.ts'

const operation = remote('delos.member.token', async () => (await import('../../../core/delos/operations.ts')).memberToken)

export default class MemberToken extends ChangeCommand<typeof operation> {
  static override operation = operation
  static override summary = "Make a token with which a server may join this context's cluster."
  static override description =
    'It is shown once and kept nowhere; the log has only its hash. Whoever has it can come in, and gets the key of the cluster: hand it on as a secret. ' +
    'With the first one the cluster gets an authority for certificates, and a port for other servers (`muster up --peers HOST:PORT`).'
  static override flags = {
    ttl: Flags.string({ description: 'how long it is good for', default: '1h' }),
    uses: Flags.integer({ description: 'how many servers may join by it', default: 1, min: 1, max: 100, helpValue: 'N' }),
  }
  static override examples = ['<%= config.bin %> delos member token', '<%= config.bin %> delos member token --ttl 15m --uses 2 --json']

  input({ flags }: Parsed<typeof MemberToken>) {
    return { ttlMs: durationFlag('ttl', flags.ttl, 1000), uses: flags.uses }
  }

  render(data: OutputOf<typeof operation>): string {
    return renderJoinToken(data)
  }
}
