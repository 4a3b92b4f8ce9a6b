import { Args, ChangeCommand, defined, Flags, remote, type OutputOf, type Parsed } from '../../../cli/command.ts'
import { labelFlags } from '../../../cli/flags/labels.ts'

const operation = remote('delos.meta.put', async () => (await import('../../../core/delos/operations.ts')).metaPutCommand)

export default class MetaPut extends ChangeCommand<typeof operation> {
  static override operation = operation
  static override summary = 'Write a metadata record, whole: its labels and its body.'
  static override description = 'The body is any JSON, or YAML, which is kept as JSON. Labels that are not given are gone.'
  static override args = { name: Args.string({ required: true, description: 'its name, one of its kind' }) }
  static override flags = {
    kind: Flags.string({ required: true, description: 'what it is: database, topic, owner …' }),
    file: Flags.string({ char: 'f', description: 'the body, JSON or YAML; - for standard input; without it, null' }),
    label: Flags.string({ char: 'l', multiple: true, description: 'a label; may be repeated', helpValue: 'NAME=VALUE' }),
    expect: Flags.integer({ description: 'only if this is its version; 0: only if it does not exist', helpValue: 'VERSION', min: 0 }),
  }
  static override examples = [
    '<%= config.bin %> delos meta put orders --kind database -f orders.json --label env=prod --label team=shop',
    '<%= config.bin %> delos meta put orders --kind topic --label env=prod --expect 0',
  ]

  async input({ args, flags }: Parsed<typeof MetaPut>) {
    const body = flags.file === undefined ? undefined : await bodyOf(flags.file)
    return defined({ kind: flags.kind, name: args.name, labels: labelFlags(flags.label), body, expect: flags.expect })
  }

  render(data: OutputOf<typeof operation>): string {
    return `${data.kind} ${data.name} ${data.isChanged ? 'is' : 'stays'} at version ${data.version}`
  }
}

async function bodyOf(file: string): Promise<unknown> {
  const { asJson, readConfigText } = await import('../../../cli/files/config-file.ts')
  return JSON.parse(asJson(readConfigText(file), file)) as unknown
}
