import { Args, ChangeCommand, remote, type InputOf, type OutputOf, type Parsed } from '../../../cli/command.ts'

const operation = remote('scuba.hold.rm', async () => (await import('../../../core/scuba/operations/retention.ts')).scubaHoldRm)

export default class ScubaHoldRm extends ChangeCommand<typeof operation> {
  static override operation = operation
  static override summary = 'Release a hold: what is too old by then goes with the next round.'
  static override args = { hold: Args.integer({ description: 'number of the hold', required: true }) }
  static override examples = ['<%= config.bin %> scuba hold rm 1042 --yes']

  input({ args }: Parsed<typeof ScubaHoldRm>): InputOf<typeof operation> {
    return { id: args.hold }
  }

  render({ id }: OutputOf<typeof operation>): string {
    return `Hold ${id} is released.`
  }
}
