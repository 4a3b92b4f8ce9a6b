import { Args, WatchQueryCommand, remote, type InputOf, type OutputOf, type Parsed, type View } from '../../../cli/command.ts'
import { renderProfile } from '../../../cli/render/tw-profiles.ts'

const operation = remote('tw.profile.show', async () => (await import('../../../core/tw/operations.ts')).profileShow)

export default class TwProfileShow extends WatchQueryCommand<typeof operation> {
  static override operation = operation
  static override watches = ['tw.Profile', 'tw.Node']
  static override summary = 'Show a host profile, and the nodes that are not as it says.'
  static override args = { profile: Args.string({ description: 'the profile', required: true }) }
  static override examples = ['<%= config.bin %> tw profile show latency']

  input({ args }: Parsed<typeof TwProfileShow>): InputOf<typeof operation> {
    return { profile: args.profile ?? '' }
  }

  render(data: OutputOf<typeof operation>, view: View): string {
    return renderProfile(view, data)
  }
}
