import { ChangeCommand, Flags, remote, type OutputOf, type Parsed } from '../../../cli/command.ts'
import { durationFlag } from '../../../cli/flags/time.ts'
import { renderNodeToken } from '../../../cli/render/join-token.ts'

const operation = remote('tw.node.token', async () => (await import('../../../core/tw/operations.ts')).nodeToken)

export default class TwNodeToken extends ChangeCommand<typeof operation> {
  static override operation = operation
  static override summary = 'Make a token with which the agent of another machine may join.'
  static override description =
    'It is shown once and kept nowhere; the log has only its hash. The agent makes a key of its own and gets a certificate for it, so the token is good for nothing after it was used. ' +
    'The first one opens a port for agents: `muster up --agents HOST:PORT` says which.'
  static override flags = {
    ttl: Flags.string({ description: 'how long it is good for', default: '1h' }),
    uses: Flags.integer({ description: 'how many nodes may join by it', default: 1, min: 1, max: 10_000, helpValue: 'N' }),
  }
  static override examples = ['<%= config.bin %> tw node token', '<%= config.bin %> tw node token --ttl 15m --uses 20 --json']

  input({ flags }: Parsed<typeof TwNodeToken>) {
    return { ttlMs: durationFlag('ttl', flags.ttl, 1000), uses: flags.uses }
  }

  render(data: OutputOf<typeof operation>): string {
    return renderNodeToken(data)
  }
}
