import { Flags } from '../../../cli/command.ts'
import { STORE_CHANGE_FLAGS, StoreCommand } from '../../../cli/delos/store-command.ts'
import { renderTrims, type TrimAnswer } from '../../../cli/render/delos-space.ts'
import type { StoreFlags } from '../../../cli/flags/store.ts'
import { EXIT, MusterError } from '../../../core/kernel/errors.ts'

const { yes: _, ...FLAGS } = STORE_CHANGE_FLAGS

export default class LogTrim extends StoreCommand {
  static override summary = 'Give up what nobody needs of a log, and say what is kept and who needs it.'
  static override description =
    'Servers do it by themselves; this does it at once. Kept is what is not in the rows of every server, on its disk, 10,000 positions below that, and what a server ' +
    'has not archived yet. A server that was silent for a day holds nothing back any more, and gets a snapshot when it comes. With --plan it only says. ' +
    'The log control of this context, the history of the fleet, is never trimmed by itself: each server first keeps a copy of its state, and gives up what is 10,000 ' +
    'positions below the oldest of these copies. What was trimmed is in no `muster delos log ls` any more, and a later version of muster that keeps its state in other tables ' +
    'cannot make them from what is left.'
  static override flags = {
    log: Flags.option({
      options: ['control', 'kv'] as const,
      default: 'kv' as const,
      description: "which log: control of this context's servers, or kv of a store's",
    })(),
    server: Flags.string({ description: 'only this one', helpValue: 'NAME' }),
    ...FLAGS,
  }
  static override examples = [
    '<%= config.bin %> delos log trim --plan',
    '<%= config.bin %> delos log trim --json',
    '<%= config.bin %> delos log trim --log control --plan',
  ]

  async run(): Promise<void> {
    const { flags } = await this.start(LogTrim)
    if (flags.log === 'control') return this.trimControl(flags)
    const { askEach, outcomeOf } = await import('../../../cli/delos/each-server.ts')
    const servers = await askEach<TrimAnswer>(flags, 'log/trim', { dryRun: flags.plan }, flags.server)
    const outcome = outcomeOf(servers)
    if (outcome instanceof Error) throw outcome
    await this.answer(this.dottedId, { servers }, (data, view) => renderTrims(data.servers, view))
    if (outcome === 'partial') process.exitCode = EXIT.partial
  }
  /** Asks the server that leads, which tells the others. */
  private async trimControl(flags: StoreFlags & { plan: boolean; server: string | undefined }): Promise<void> {
    if (flags.endpoints !== undefined || flags.server !== undefined)
      throw new MusterError('USAGE', '--log control is about all servers of this context: give neither --endpoints nor --server')
    const { contextOperator } = await import('../../../cli/delos/context-operator.ts')
    const operator = contextOperator(this.client, 'control')
    try {
      const answer = await operator.ask<TrimAnswer>('log/trim', { dryRun: flags.plan })
      const servers = [{ server: answer.name, endpoint: '', answer, problem: null }]
      await this.answer(this.dottedId, { servers }, (data, view) => renderTrims(data.servers, view))
    } finally {
      operator.close()
    }
  }
}
