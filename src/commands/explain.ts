import { ERRORS, type ErrorCode } from '../core/kernel/error-table.ts'
import { MusterError } from '../core/kernel/errors.ts'
import { Args, MusterCommand } from '../cli/command.ts'
import { renderExplanation, type Explanation } from '../cli/render/explain.ts'
import { guess } from '../cli/resolve.ts'

/** Offline: works when nothing else does. */
export default class Explain extends MusterCommand {
  static override summary = 'Say what an error code means and what to do about it.'
  static override args = { code: Args.string({ required: true, description: 'the code an error message ends with' }) }
  static override examples = ['<%= config.bin %> explain PLAN_STALE', '<%= config.bin %> explain TW_SPEC_INVALID --json']

  async run(): Promise<void> {
    const { args } = await this.start(Explain)
    const code = args.code.toUpperCase().replaceAll('-', '_')
    const row = ERRORS[code as ErrorCode]
    if (row === undefined) {
      const near = guess(code, Object.keys(ERRORS))
      throw new MusterError('NOT_FOUND', `there is no error code ${code}`, {
        hint: near.length > 0 ? `Did you mean ${near.join(' or ')}?` : 'See docs/errors/ for all of them.',
      })
    }
    const explanation: Explanation = { code, exit: row.exit, what: row.what, hint: row.hint, docs: `docs/errors/${code}.md` }
    await this.answer('explain', explanation, renderExplanation)
  }
}
