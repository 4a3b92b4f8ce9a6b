import { STORE_CHANGE_FLAGS, StoreCommand } from '../../../cli/delos/store-command.ts'
import { renderAlarms } from '../../../cli/render/delos-store.ts'

export default class AlarmDisarm extends StoreCommand {
  static override summary = 'Take back all alarms, once what raised them is mended.'
  static override description =
    'NOSPACE: delete and compact first, or the next write raises it again. CORRUPT: repair first, as taking it back makes the store serve what it has.'
  static override flags = STORE_CHANGE_FLAGS
  static override examples = ['<%= config.bin %> delos alarm disarm --yes', '<%= config.bin %> delos alarm disarm --plan']

  async run(): Promise<void> {
    const { flags } = await this.start(AlarmDisarm)
    const { alarmsOf, disarm } = await import('../../../cli/delos/alarms.ts')
    const alarms = await this.withStore(flags, alarmsOf)
    const names = alarms.map(({ server, alarm }) => `${alarm} of ${server}`).join(', ')
    const text = names === '' ? 'There is no alarm to take back.' : `Taken back: ${names}.`
    if (!(await this.isAgreed({ text, danger: alarms.length === 0 ? 'low' : 'medium' }, flags))) return
    await this.withStore(flags, disarm)
    await this.answer(this.dottedId, { disarmed: alarms }, (data, view) =>
      data.disarmed.length === 0 ? text : `${renderAlarms(data.disarmed, view)}\n\nTaken back.`,
    )
  }
}
