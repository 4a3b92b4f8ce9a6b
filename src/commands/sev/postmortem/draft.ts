import { Args, ChangeCommand, defined, Flags, remote, type InputOf, type OutputOf, type Parsed } from '../../../cli/command.ts'
import { renderDrafted, renderPostmortem } from '../../../cli/render/sev.ts'
import { incidentNumber } from '../../../cli/flags/incident-number.ts'
import { MusterError } from '../../../core/kernel/errors.ts'

const operation = remote('sev.postmortem.draft', async () => (await import('../../../core/sev/operations.ts')).postmortemDraft)

export default class SevPostmortemDraft extends ChangeCommand<typeof operation> {
  static override operation = operation
  static override summary = 'Draft the postmortem of an incident from its timeline, changes, verdicts and pages.'
  static override args = { incident: Args.string({ description: 'number of the incident; left out: the open one, or the last' }) }
  static override flags = {
    out: Flags.string({ description: 'write it to this file; - is standard output', helpValue: 'FILE' }),
    template: Flags.string({ description: 'Markdown with {{placeholders}}, as templates/postmortem.md', helpValue: 'FILE' }),
  }
  static override examples = ['<%= config.bin %> sev postmortem draft 1042 --out postmortem-1042.md']

  async input({ args, flags }: Parsed<typeof SevPostmortemDraft>): Promise<InputOf<typeof operation>> {
    const { readFile } = await import('node:fs/promises')
    const template =
      flags.template === undefined
        ? undefined
        : await readFile(flags.template, 'utf8').catch((cause: Error) => {
            throw new MusterError('FILE_UNREADABLE', `${flags.template}: ${cause.message}`, { cause })
          })
    return defined({ incident: args.incident === undefined ? undefined : incidentNumber(args.incident), template })
  }

  render(data: OutputOf<typeof operation>): string {
    return renderPostmortem(data)
  }

  override async run(): Promise<void> {
    const parsed = await this.start(SevPostmortemDraft)
    const done = await this.change(operation, await this.input(parsed), parsed.flags as never)
    if (!done) return
    const { out } = parsed.flags
    if (out === undefined || out === '-') {
      await this.answer(this.dottedId, done.data, renderPostmortem, done.warnings)
      return
    }
    const { writeFile } = await import('node:fs/promises')
    await writeFile(out, done.data.markdown).catch((cause: Error) => {
      throw new MusterError('FILE_UNREADABLE', `${out}: ${cause.message}`, { cause })
    })
    await this.answer(
      this.dottedId,
      { ...done.data, out },
      (data) => renderDrafted(out, data.incident, Buffer.byteLength(data.markdown)),
      done.warnings,
    )
  }
}
