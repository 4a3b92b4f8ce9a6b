import { MusterCommand } from '../cli/command.ts'
import { fields } from '../cli/render/table.ts'

export default class Version extends MusterCommand {
  static override summary = 'Show the version of muster and of what it runs on.'
  static override examples = ['<%= config.bin %> version', '<%= config.bin %> version --json', '<%= config.bin %> --version']

  async run(): Promise<void> {
    await this.start(Version)
    const data = { muster: this.config.version, node: process.versions.node, platform: `${process.platform}-${process.arch}` }
    await this.answer('version', data, (value, view) => fields(view, Object.entries(value)))
  }
}
