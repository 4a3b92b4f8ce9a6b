import { ChangeCommand, Flags, remote, type InputOf, type OutputOf, type Parsed, type View } from '../../cli/command.ts'

const operation = remote('chaos.halt.clear', async () => (await import('../../core/chaos/operations.ts')).haltClear)

export default class ChaosResume extends ChangeCommand<typeof operation> {
  static override operation = operation
  static override summary = 'Let chaos runs start again after a halt.'
  static override flags = { reason: Flags.string({ description: 'why, for the log', default: '' }) }
  static override examples = ['<%= config.bin %> chaos resume --confirm chaos --reason "over"']

  input({ flags }: Parsed<typeof ChaosResume>): InputOf<typeof operation> {
    return { reason: flags.reason ?? '' }
  }

  render(_data: OutputOf<typeof operation>, _view: View): string {
    return 'Chaos runs may start again.'
  }

  override async run(): Promise<void> {
    const parsed = await this.start(ChaosResume)
    const flags = parsed.flags as typeof parsed.flags & {
      plan: boolean
      apply: string | undefined
      yes: boolean
      confirm: string | undefined
    }
    const done = await this.change(operation, this.input(parsed), flags)
    if (done === null) return
    const { resumeDirectly } = await import('../../cli/files/halt-files.ts')
    resumeDirectly(this.paths)
    await this.answer(this.dottedId, done.data, (data, view) => this.render(data, view), done.warnings)
  }
}
