import { QueryCommand, remote, type InputOf, type OutputOf, type View } from '../../cli/command.ts'
import { renderTokens } from '../../cli/render/token.ts'

const operation = remote('delos.token.ls', async () => (await import('../../core/delos/operations.ts')).tokenList)

export default class TokenLs extends QueryCommand<typeof operation> {
  static override operation = operation
  static override summary = "List the bearer tokens of this context's API that are good."
  static override description =
    'Two may have one name where each was in a file of a server of its own before; then the id tells them apart.'
  static override examples = ['<%= config.bin %> token ls', '<%= config.bin %> token ls --json']

  input(): InputOf<typeof operation> {
    return {}
  }

  render(data: OutputOf<typeof operation>, view: View): string {
    return renderTokens(data.tokens, Date.now(), view)
  }
}
