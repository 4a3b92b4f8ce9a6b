import { ChangeCommand, Flags, remote, type InputOf, type OutputOf, type Parsed, type View } from '../../cli/command.ts'
import { MusterError } from '../../core/kernel/errors.ts'

const operation = remote('chaos.halt.set', async () => (await import('../../core/chaos/operations.ts')).haltSet)

export default class ChaosHalt extends ChangeCommand<typeof operation> {
  static override operation = operation
  static override summary = 'Undo every fault now and let no run start until it is resumed.'
  static override description =
    'Works without the server too: then each local agent is told by a file HALT in its folder, which it obeys within a quarter of a second and over the server, also after a reboot. Rules in the proxies end by themselves then, with their lease.'
  static override flags = { reason: Flags.string({ description: 'why, for the log', default: 'halted by a person' }) }
  static override examples = ['<%= config.bin %> chaos halt --reason "real trouble"']

  input({ flags }: Parsed<typeof ChaosHalt>): InputOf<typeof operation> {
    return { reason: flags.reason ?? 'halted by a person' }
  }

  render(data: OutputOf<typeof operation>, _view: View): string {
    return `Chaos is halted: ${data.reason}. ${data.live.length === 0 ? 'No run was under way.' : `Undoing ${data.live.join(', ')}.`}\nClear it with \`muster chaos resume --confirm chaos\`.`
  }

  override async run(): Promise<void> {
    const parsed = await this.start(ChaosHalt)
    const input = this.input(parsed)
    try {
      const done = await this.change(operation, input, parsed.flags as never)
      if (done !== null) await this.answer(this.dottedId, done.data, (data, view) => this.render(data, view), done.warnings)
    } catch (error) {
      if (!(error instanceof MusterError) || error.code !== 'SERVER_DOWN') throw error
      const { haltDirectly } = await import('../../cli/files/halt-files.ts')
      const nodes = haltDirectly(this.paths, input.reason ?? '')
      if (nodes.length === 0) throw error
      await this.answer(
        this.dottedId,
        { isDirect: true, reason: input.reason, nodes },
        () => `The server is down; told ${nodes.length} agents directly: ${nodes.join(', ')}.\nRules in the proxies end with their lease.`,
      )
    }
  }
}
