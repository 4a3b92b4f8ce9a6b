import { Args, Flags, MusterCommand } from '../../../cli/command.ts'
import { confirmName } from '../../../cli/confirm.ts'
import { operatorOf, STORE_FLAGS } from '../../../cli/flags/store.ts'
import { renderSkip, type SkipAnswer } from '../../../cli/render/delos-skip.ts'
import { MusterError } from '../../../core/kernel/errors.ts'

export default class LogSkip extends MusterCommand {
  static override summary = 'Have a position of a log passed over by every server, for good: the way out of DELOS_POISON.'
  static override description =
    'What stands there is never applied, also when the log is read again. A server that applied it makes its store anew without it, and answers nothing meanwhile. ' +
    'What was asked there and acknowledged is lost with it: look at it first, with --plan. ' +
    'A position of the log control holds what was decided together: it is not the number of an entry, by which `muster delos log ls` calls each.'
  static override args = { position: Args.integer({ required: true, min: 1, description: 'its position, as DELOS_POISON names it' }) }
  static override flags = {
    log: Flags.option({
      options: ['control', 'kv'] as const,
      default: 'kv' as const,
      description: "which log: control of this context's servers, or kv of a store's",
    })(),
    reason: Flags.string({ required: true, description: 'why, for who looks at it later', helpValue: 'TEXT' }),
    plan: Flags.boolean({ description: 'only show what stands there, who proposed it, and what each server would do' }),
    confirm: Flags.string({ description: 'the position, instead of being asked', helpValue: 'POSITION' }),
    ...STORE_FLAGS,
  }
  static override examples = [
    '<%= config.bin %> delos log skip 4711 --reason "ends every server that applies it" --plan',
    '<%= config.bin %> delos log skip 4711 --reason "ends every server that applies it" --confirm 4711',
    '<%= config.bin %> delos log skip 4711 --log control --reason "ends every server that applies it" --plan',
  ]

  async run(): Promise<void> {
    const { args, flags } = await this.start(LogSkip)
    const { position } = args
    if (flags.log === 'control' && flags.endpoints !== undefined)
      throw new MusterError('USAGE', '--log control is of the servers of this context: give no --endpoints')
    const { contextOperator } = await import('../../../cli/delos/context-operator.ts')
    const operator = flags.log === 'control' ? contextOperator(this.client, 'control') : await operatorOf(flags)
    const ask = (dryRun: boolean): Promise<SkipAnswer> => operator.ask<SkipAnswer>('log/skip', { position, reason: flags.reason, dryRun })
    try {
      const plan = await ask(true)
      if (!flags.plan && !plan.wasSkipped) {
        // It is shown before it is asked for; with --confirm it was looked at before.
        if (flags.confirm === undefined && this.isScreen) this.note(renderSkip(plan, this.view))
        await confirmName(`Position ${position} is never applied, by no server.`, String(position), flags.confirm, process)
      }
      await this.answer(this.dottedId, flags.plan || plan.wasSkipped ? plan : await ask(false), renderSkip)
    } finally {
      operator.close()
    }
  }
}
