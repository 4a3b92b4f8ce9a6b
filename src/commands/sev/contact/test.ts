import { Args, ChangeCommand, defined, Flags, remote, type InputOf, type OutputOf, type Parsed, type View } from '../../../cli/command.ts'
import { renderContactTest } from '../../../cli/render/sev-oncall.ts'

const operation = remote('sev.contact.test', async () => (await import('../../../core/sev/operations.ts')).contactTest)

export default class SevContactTest extends ChangeCommand<typeof operation> {
  static override operation = operation
  static override summary = 'Send a test page and say what each channel answered.'
  static override args = { person: Args.string({ description: 'who', required: true }) }
  static override flags = { channel: Flags.string({ description: 'only this channel' }) }
  static override examples = ['<%= config.bin %> sev contact test anna']

  input({ args, flags }: Parsed<typeof SevContactTest>): InputOf<typeof operation> {
    return defined({ person: args.person, channel: flags.channel })
  }

  render(data: OutputOf<typeof operation>, view: View): string {
    return renderContactTest(data, view)
  }

  override exitCode(data: OutputOf<typeof operation>): number {
    const failures = data.results.filter((result) => !result.isOk).length
    return failures === 0 ? 0 : failures === data.results.length ? 1 : 8
  }
}
