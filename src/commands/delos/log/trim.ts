import { Flags } from '../../../cli/command.ts'
import { STORE_CHANGE_FLAGS, StoreCommand } from '../../../cli/delos/store-command.ts'
import { renderTrims, type TrimAnswer } from '../../../cli/render/delos-space.ts'
import { EXIT } from '../../../core/kernel/errors.ts'

const { yes: _, ...FLAGS } = STORE_CHANGE_FLAGS

export default class LogTrim extends StoreCommand {
  static override summary = "Give up what nobody needs of a store's log, and say what is kept and who needs it."
  static override description =
    'Servers do it by themselves; this does it at once. Kept is what is not in the rows of every server, on its disk, 10,000 positions below that, and what a server ' +
    'has not archived yet. A server that was silent for a day holds nothing back any more, and gets a snapshot when it comes. With --plan it only says.'
  static override flags = { server: Flags.string({ description: 'only this one', helpValue: 'NAME' }), ...FLAGS }
  static override examples = ['<%= config.bin %> delos log trim --plan', '<%= config.bin %> delos log trim --json']

  async run(): Promise<void> {
    const { flags } = await this.start(LogTrim)
    const { askEach, outcomeOf } = await import('../../../cli/delos/each-server.ts')
    const servers = await askEach<TrimAnswer>(flags, 'log/trim', { dryRun: flags.plan }, flags.server)
    const outcome = outcomeOf(servers)
    if (outcome instanceof Error) throw outcome
    await this.answer(this.dottedId, { servers }, (data, view) => renderTrims(data.servers, view))
    if (outcome === 'partial') process.exitCode = EXIT.partial
  }
}
