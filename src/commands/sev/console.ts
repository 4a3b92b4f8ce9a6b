import { Flags, MusterCommand, remote } from '../../cli/command.ts'
import { renderConsole } from '../../cli/render/sev-console.ts'

const operation = remote('sev.console', async () => (await import('../../core/sev/operations.ts')).consoleQuery)

export default class SevConsoleCommand extends MusterCommand {
  static override summary = 'The paging console: what is wrong, how long you have, what changed, what to do next.'
  static override flags = {
    plain: Flags.boolean({ description: 'print it once instead' }),
    'read-only': Flags.boolean({ description: 'look, change nothing' }),
    bell: Flags.boolean({ description: 'ring for new incidents', default: true, allowNo: true }),
  }
  static override examples = ['<%= config.bin %> sev console', '<%= config.bin %> sev console --plain']

  async run(): Promise<void> {
    const { flags } = await this.start(SevConsoleCommand)
    const context = this.settings.context.value
    if (flags.plain || !this.isScreen) {
      const { data, warnings } = await this.call(operation, {})
      await this.answer(this.dottedId, data, (view, terminal) => renderConsole(view, terminal, context), warnings)
      return
    }
    const { openSevConsole } = await import('../../tui/sev-console/open.tsx')
    const { client } = this
    await openSevConsole(
      {
        context,
        load: async () => (await this.call(operation, {})).data,
        act: async (name, input) => {
          const { data } = await client.call<{ text?: string }>(name, input)
          return { text: data.text ?? '' }
        },
        follow: (onEntry) => {
          const end = new AbortController()
          const pump = async (): Promise<void> => {
            for await (const event of client.events({ types: ['sev.'], signal: end.signal })) {
              onEntry({ ...(event.entry as { type: string; body: unknown }), position: event.id })
            }
          }
          // Without a server there are no events; the screen says that it is offline and polls.
          pump().catch(() => undefined)
          return () => end.abort()
        },
        clock: Date.now,
        ring: () => {
          if (flags.bell) process.stdout.write('\u0007')
        },
      },
      flags['read-only'],
    )
  }
}
