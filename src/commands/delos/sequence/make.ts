import { Args, Flags, MusterCommand } from '../../../cli/command.ts'
import { STORE_FLAGS, storeOf } from '../../../cli/flags/store.ts'

export default class SequenceMake extends MusterCommand {
  static override summary = 'Make a key PARENT/PREFIX0000000042 whose number no other child of PARENT ever had.'
  static override description =
    'Numbers grow in the order of making and are never given twice, also not when all children are gone; some may be left out. ' +
    'Exit 6 with DELOS_OUTCOME_UNKNOWN when the answer was lost: look for the own value before making another one.'
  static override args = { parent: Args.string({ required: true, description: 'what it is a child of' }) }
  static override flags = {
    prefix: Flags.string({ description: 'what its name starts with', default: '', helpValue: 'PREFIX' }),
    container: Flags.boolean({ description: 'make PARENT a key, too, that goes 60 s after its last child (of a store of ours)' }),
    value: Flags.string({ description: 'its value', default: '', helpValue: 'V' }),
    ...STORE_FLAGS,
  }
  static override examples = [
    '<%= config.bin %> delos sequence make builds --value "$(git rev-parse HEAD)"',
    '<%= config.bin %> delos sequence make jobs/17 --container',
    '<%= config.bin %> delos sequence make queue --prefix job- --value resize:17 --json',
  ]

  async run(): Promise<void> {
    const { args, flags } = await this.start(SequenceMake)
    const { keyOf, keyText } = await import('../../../cli/coordination/key-text.ts')
    const { sequentialKey } = await import('../../../core/delos/recipes/etcd/sequence.ts')
    const value = new TextEncoder().encode(flags.value)
    const client = await storeOf(flags)
    try {
      if (flags.container) {
        const { makeContainer } = await import('../../../core/delos/recipes/etcd/container.ts')
        await client.txn(makeContainer(keyOf(args.parent)), { isRepeatable: true, signal: this.interrupted() })
      }
      const recipe = sequentialKey(keyOf(args.parent), keyOf(flags.prefix), value, 0n)
      const { key, number, token } = await client.run(recipe, { signal: this.interrupted() })
      await this.answer(this.dottedId, { parent: args.parent, key: keyText(key), number, token }, (data) => data.key)
    } finally {
      client.close()
    }
  }
}
