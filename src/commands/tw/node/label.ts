import { Args, ChangeCommand, Flags, remote, type InputOf, type OutputOf, type Parsed } from '../../../cli/command.ts'
import { MusterError } from '../../../core/kernel/errors.ts'

const operation = remote('tw.node.label', async () => (await import('../../../core/tw/operations.ts')).nodeLabel)

export default class TwNodeLabel extends ChangeCommand<typeof operation> {
  static override operation = operation
  static override summary = 'Set or remove labels of a node, which constraints ask for as node.meta.NAME.'
  static override args = { node: Args.string({ description: 'the node', required: true }) }
  static override flags = {
    set: Flags.string({ description: 'a label and its value', multiple: true, default: [], helpValue: 'NAME=VALUE' }),
    remove: Flags.string({ description: 'a label to take away', multiple: true, default: [], helpValue: 'NAME' }),
    reason: Flags.string({ description: 'why, for the log', default: '' }),
  }
  static override examples = [
    '<%= config.bin %> tw node label n2 --set tier=gold --set pool=batch',
    '<%= config.bin %> tw node label n2 --remove tier',
  ]

  input({ args, flags }: Parsed<typeof TwNodeLabel>): InputOf<typeof operation> {
    const set = (flags.set ?? []).map((pair): [string, string] => {
      const [, name, value] = /^([^=]+)=(.*)$/s.exec(pair) ?? []
      if (name === undefined || value === undefined) throw new MusterError('USAGE', `--set wants NAME=VALUE, not "${pair}"`)
      return [name, value]
    })
    return { node: args.node ?? '', set: Object.fromEntries(set), remove: flags.remove ?? [], reason: flags.reason ?? '' }
  }

  render(data: OutputOf<typeof operation>): string {
    const labels = Object.entries(data.labels).map(([name, value]) => `${name}=${value}`)
    return `${data.node} has ${labels.length === 0 ? 'no labels' : labels.join(' ')}${data.isChanged ? '' : ', as before'}`
  }
}
