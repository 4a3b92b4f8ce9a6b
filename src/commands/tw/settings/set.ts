import { ChangeCommand, defined, Flags, remote, type InputOf, type OutputOf, type Parsed, type View } from '../../../cli/command.ts'
import { MusterError } from '../../../core/kernel/errors.ts'
import { renderSettings } from '../../../cli/render/tw-settings.ts'

const operation = remote('tw.settings.set', async () => (await import('../../../core/tw/operations.ts')).settingsSetCommand)

export default class TwSettingsSet extends ChangeCommand<typeof operation> {
  static override operation = operation
  static override summary = 'Set something for the whole fleet.'
  static override description =
    'The storm rate bounds how many tasks that replace others are told to start in one second, once a whole domain is lost or more tasks fail ' +
    'within ten seconds than may start in one. Where they go is decided at full speed, and other jobs start at once.'
  static override flags = {
    'storm-rate': Flags.integer({ description: 'replacements started a second after a mass failure', min: 1, helpValue: 'N' }),
    reason: Flags.string({ description: 'why, for the log', default: '' }),
  }
  static override examples = ['<%= config.bin %> tw settings set --storm-rate 500 --reason "the registry bears no more" --yes']

  input({ flags }: Parsed<typeof TwSettingsSet>): InputOf<typeof operation> {
    if (flags['storm-rate'] === undefined)
      throw new MusterError('USAGE', 'Nothing is given to be set.', {
        hint: 'Give --storm-rate N; `muster tw settings show` shows what there is.',
      })
    return defined({ stormRate: flags['storm-rate'], reason: flags.reason ?? '' })
  }

  render(data: OutputOf<typeof operation>, view: View): string {
    return renderSettings(view, data)
  }
}
