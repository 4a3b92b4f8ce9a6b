import { Args, ChangeCommand, defined, Flags, remote, type InputOf, type OutputOf, type Parsed } from '../../../cli/command.ts'
import { MusterError } from '../../../core/kernel/errors.ts'

const operation = remote('sev.contact.set', async () => (await import('../../../core/sev/operations.ts')).contactSet)
const CHANNELS = ['terminal', 'webhook', 'command', 'smtp', 'file'] as const

export default class SevContactSet extends ChangeCommand<typeof operation> {
  static override operation = operation
  static override summary = 'Set how a person is reached, in the order to try.'
  static override args = { person: Args.string({ description: 'who', required: true }) }
  static override flags = {
    contact: Flags.string({
      char: 'c',
      description: 'a channel and its address; more than one in order',
      helpValue: 'CHANNEL[=ADDRESS]',
      multiple: true,
      required: true,
    }),
    'time-zone': Flags.string({ description: 'their time zone', helpValue: 'Europe/London' }),
  }
  static override examples = ['<%= config.bin %> sev contact set anna -c webhook=https://example.org/hook -c file=/var/log/pages.log']

  input({ args, flags }: Parsed<typeof SevContactSet>): InputOf<typeof operation> {
    const contacts = flags.contact.map((text) => {
      const cut = text.indexOf('=')
      const name = cut < 0 ? text : text.slice(0, cut)
      const channel = CHANNELS.find((candidate) => candidate === name)
      if (!channel) throw new MusterError('USAGE', `"${name}" is not a channel`, { hint: `Channels: ${CHANNELS.join(', ')}.` })
      return { channel, address: cut < 0 ? '' : text.slice(cut + 1) }
    })
    return defined({ person: args.person, contacts, timeZone: flags['time-zone'] })
  }

  render(data: OutputOf<typeof operation>): string {
    return `${data.person} is reached over ${data.contacts.map((contact) => contact.channel).join(', then ')}`
  }
}
