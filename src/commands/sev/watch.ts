import { Flags, MusterCommand, remote } from '../../cli/command.ts'
import { describeEntry, renderIncidents } from '../../cli/render/sev.ts'

const list = remote('sev.incident.list', async () => (await import('../../core/sev/operations.ts')).incidentList)
const receipt = remote('sev.page.receipt', async () => (await import('../../core/sev/operations.ts')).pageReceipt)

interface Delivery {
  page: string
  channel: string
}

export default class SevWatch extends MusterCommand {
  static override summary = 'One line for everything that happens to incidents; rings for pages.'
  static override flags = { bell: Flags.boolean({ description: 'ring the terminal for each page, and confirm that it was shown' }) }
  static override examples = ['<%= config.bin %> sev watch --bell']

  async run(): Promise<void> {
    const { flags } = await this.start(SevWatch)
    const signal = this.interrupted()
    const { data, position } = await this.call(list, {})
    if (this.isMachine) this.print(JSON.stringify({ type: 'snapshot', position, data }))
    else this.print(renderIncidents(data, this.view))
    for await (const event of this.client.events({ from: position, types: ['sev.'], signal })) {
      const entry = event.entry as { type: string; at: number; body: unknown; position: number }
      if (this.isMachine) {
        this.print(JSON.stringify({ type: 'event', position: event.id, entry }))
      } else {
        const line = describeEntry(entry)
        if (line !== null) this.print(line)
      }
      if (flags.bell && entry.type === 'sev.DeliveryIntended') await this.ring(entry)
    }
  }

  /** A terminal that showed the page is its receipt. */
  private async ring(entry: { body: unknown; position: number }): Promise<void> {
    const { deliveries } = entry.body as { deliveries: Delivery[] }
    for (const [n, delivery] of deliveries.entries()) {
      if (delivery.channel !== 'terminal') continue
      if (this.view.isTty) process.stdout.write('\u0007')
      await this.client.call(receipt.name, { key: `d${entry.position}-${n}` })
    }
  }
}
