import { Flags, MusterCommand } from '../../cli/command.ts'
import { renderConfig, type ConfigRow } from '../../cli/render/config.ts'

export default class ConfigShow extends MusterCommand {
  static override summary = 'Show the settings in force, and where each comes from.'
  static override flags = { origin: Flags.boolean({ description: 'also say which flag, variable or file set it' }) }
  static override examples = ['<%= config.bin %> config show --origin', '<%= config.bin %> config show --context blue --json']

  async run(): Promise<void> {
    const { flags } = await this.start(ConfigShow)
    const { files, token, ...settings } = this.settings
    const rows: ConfigRow[] = Object.entries(settings).map(([name, { value, origin }]) => ({
      name,
      value: Array.isArray(value) ? value.join(' ') || null : (value as Exclude<typeof value, readonly string[]>),
      origin,
    }))
    // A token on a screen is a token lost.
    rows.push({ name: 'token', value: token.value === null ? null : '(set)', origin: token.origin })
    rows.push({
      name: 'state',
      value: this.paths.root,
      origin: settings.stateDir.origin === 'default' ? 'context' : settings.stateDir.origin,
    })
    await this.answer('config.show', { settings: rows, files }, (data, view) => renderConfig(data.settings, flags.origin, view))
  }
}
