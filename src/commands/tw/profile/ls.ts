import { WatchQueryCommand, remote, type InputOf, type OutputOf, type View } from '../../../cli/command.ts'
import { renderProfiles } from '../../../cli/render/tw-profiles.ts'

const operation = remote('tw.profile.list', async () => (await import('../../../core/tw/operations.ts')).profileList)

export default class TwProfileLs extends WatchQueryCommand<typeof operation> {
  static override operation = operation
  static override watches = ['tw.Profile', 'tw.Node']
  static override summary = 'List the host profiles, and how many nodes are as they say.'
  static override examples = ['<%= config.bin %> tw profile ls']

  input(): InputOf<typeof operation> {
    return {}
  }

  render(data: OutputOf<typeof operation>, view: View): string {
    return renderProfiles(view, data)
  }
}
