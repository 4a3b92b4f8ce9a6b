import { QueryCommand, remote, type InputOf, type OutputOf, type View } from '../../../cli/command.ts'
import { renderSettings } from '../../../cli/render/tw-settings.ts'

const operation = remote('tw.settings.show', async () => (await import('../../../core/tw/operations.ts')).settingsShow)

export default class TwSettingsShow extends QueryCommand<typeof operation> {
  static override operation = operation
  static override summary = 'Show what is set for the whole fleet.'
  static override examples = ['<%= config.bin %> tw settings show']

  input(): InputOf<typeof operation> {
    return {}
  }

  render(data: OutputOf<typeof operation>, view: View): string {
    return renderSettings(view, data)
  }
}
