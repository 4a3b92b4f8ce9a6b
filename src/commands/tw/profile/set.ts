import { Args, ChangeCommand, remote, type InputOf, type OutputOf, type Parsed } from '../../../cli/command.ts'

const operation = remote('tw.profile.set', async () => (await import('../../../core/tw/operations.ts')).profileSetCommand)

export default class TwProfileSet extends ChangeCommand<typeof operation> {
  static override operation = operation
  static override summary = 'Keep a host profile; nodes stay as they are until it is applied to them.'
  static override description =
    'A profile names sysctls, transparent hugepages and hugepages that nodes are to have, and labels of those that have them. What it does not name is never touched.'
  static override args = { file: Args.string({ description: 'YAML file of the profile; - reads standard input', required: true }) }
  static override examples = ['<%= config.bin %> tw profile set host.yaml', '<%= config.bin %> tw profile set host.yaml --plan']

  async input({ args }: Parsed<typeof TwProfileSet>): Promise<InputOf<typeof operation>> {
    const { readHostProfile } = await import('../../../cli/files/host-profile-file.ts')
    return { document: readHostProfile(args.file ?? '-') }
  }

  render({ profile, version, isChanged }: OutputOf<typeof operation>): string {
    return isChanged
      ? `profile ${profile} is v${version} now; put nodes into it with \`muster tw profile apply ${profile} --to TARGET\``
      : `profile ${profile} is v${version}, as before`
  }
}
