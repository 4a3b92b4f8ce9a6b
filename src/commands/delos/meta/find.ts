import { defined, Flags, QueryCommand, remote, type InputOf, type OutputOf, type Parsed, type View } from '../../../cli/command.ts'
import { labelFlags } from '../../../cli/flags/labels.ts'
import { renderMetaRecords } from '../../../cli/render/delos-meta.ts'

const operation = remote('delos.meta.find', async () => (await import('../../../core/delos/operations.ts')).metaFind)

export default class MetaFind extends QueryCommand<typeof operation> {
  static override operation = operation
  static override summary = 'Find metadata records by labels and by what their bodies say.'
  static override description =
    'Labels have an index; --where looks into each record that kind and labels leave over. It compares with =, !=, <, <=, > or >=: PATH is names ' +
    'separated by dots (a number is a place in a list), VALUE is JSON or else plain text. All conditions must hold. JSON has the bodies.'
  static override flags = {
    kind: Flags.string({ description: 'only of this kind' }),
    label: Flags.string({ char: 'l', multiple: true, description: 'has this label; may be repeated', helpValue: 'NAME=VALUE' }),
    where: Flags.string({ multiple: true, description: 'its body says this; may be repeated', helpValue: 'PATH>=VALUE' }),
    limit: Flags.integer({ char: 'n', description: 'at most so many', default: 100, min: 1, max: 1000 }),
  }
  static override examples = [
    '<%= config.bin %> delos meta find --label env=prod --label team=shop',
    "<%= config.bin %> delos meta find --kind database --where 'spec.replicas>=3' --json",
  ]

  input({ flags }: Parsed<typeof MetaFind>): InputOf<typeof operation> {
    return defined({ kind: flags.kind, labels: labelFlags(flags.label), where: flags.where, limit: flags.limit })
  }

  render(data: OutputOf<typeof operation>, view: View): string {
    return `${renderMetaRecords(data.records, Date.now(), view)}${data.more ? `\nOnly the first ${data.records.length}; there are more.` : ''}`
  }
}
