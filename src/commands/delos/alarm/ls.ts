import { STORE_FLAGS, StoreCommand } from '../../../cli/delos/store-command.ts'
import { renderAlarms } from '../../../cli/render/delos-store.ts'

export default class AlarmLs extends StoreCommand {
  static override summary = 'List the alarms of a store: no space, or damaged data.'
  static override flags = STORE_FLAGS
  static override examples = ['<%= config.bin %> delos alarm ls', '<%= config.bin %> delos alarm ls --json']

  async run(): Promise<void> {
    const { flags } = await this.start(AlarmLs)
    const { alarmsOf } = await import('../../../cli/delos/alarms.ts')
    const alarms = await this.withStore(flags, alarmsOf)
    await this.answer(this.dottedId, { alarms }, (data, view) => renderAlarms(data.alarms, view))
  }
}
