import { Args, ChangeCommand, defined, Flags, remote, type OutputOf, type Parsed } from '../../../cli/command.ts'

const operation = remote('delos.meta.del', async () => (await import('../../../core/delos/operations.ts')).metaDel)

export default class MetaDel extends ChangeCommand<typeof operation> {
  static override operation = operation
  static override summary = 'Delete a metadata record.'
  static override args = { name: Args.string({ required: true, description: 'its name' }) }
  static override flags = {
    kind: Flags.string({ required: true, description: 'what it is' }),
    expect: Flags.integer({ description: 'only if this is its version', helpValue: 'VERSION', min: 1 }),
  }
  static override examples = [
    '<%= config.bin %> delos meta del orders --kind database --yes',
    '<%= config.bin %> delos meta del orders --kind database --expect 4711 --plan',
  ]

  input({ args, flags }: Parsed<typeof MetaDel>) {
    return defined({ kind: flags.kind, name: args.name, expect: flags.expect })
  }

  render(data: OutputOf<typeof operation>): string {
    return `${data.kind} ${data.name} (version ${data.version}) is deleted`
  }
}
