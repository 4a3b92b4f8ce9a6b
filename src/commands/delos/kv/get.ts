import { Args, defined, Flags, MusterCommand, remote } from '../../../cli/command.ts'
import { OTHER_STORE_FLAGS } from '../../../cli/flags/store.ts'
import { renderKvs } from '../../../cli/render/delos.ts'
import { MusterError } from '../../../core/kernel/errors.ts'

const operation = remote('delos.kv.get', async () => (await import('../../../core/delos/operations.ts')).kvGet)

export default class KvGet extends MusterCommand {
  static override summary = 'Read a key, or all keys with a prefix.'
  static override description =
    'One key prints its value alone, bytes that are no text as they are; -o wide adds revisions. A key that does not exist exits with 3.'
  static override args = {
    key: Args.string({ required: true, description: 'the key, or with --prefix what keys start with ("" for all)' }),
  }
  static override flags = {
    prefix: Flags.boolean({ description: 'all keys that start so' }),
    rev: Flags.integer({ description: 'as it stood at this revision', helpValue: 'REVISION', min: 1 }),
    limit: Flags.integer({ description: 'at most so many keys', default: 1000, min: 1, max: 10_000 }),
    'keys-only': Flags.boolean({ description: 'leave the values out' }),
    count: Flags.boolean({ description: 'only how many there are' }),
    serializable: Flags.boolean({ description: 'as the server that is asked knows it, also while it has no leader' }),
    ...OTHER_STORE_FLAGS,
  }
  static override examples = [
    '<%= config.bin %> delos kv get config/web',
    '<%= config.bin %> delos kv get config/ --prefix -o json',
    '<%= config.bin %> delos kv get config/web --rev 7 --endpoints http://127.0.0.1:2379',
  ]

  async run(): Promise<void> {
    const { args, flags } = await this.start(KvGet)
    const input = {
      key: args.key,
      isPrefix: flags.prefix,
      limit: flags.limit,
      isKeysOnly: flags['keys-only'],
      isCountOnly: flags.count,
      isSerializable: flags.serializable,
      revision: flags.rev,
    }
    const { data, warnings } = await this.call(operation, defined(input))
    const [only] = data.kvs
    if (!flags.prefix && !flags.count && only === undefined)
      throw new MusterError('DELOS_KEY_UNKNOWN', `the key ${args.key} does not exist`)
    if (!flags.prefix && only?.isValueBase64 === true && this.format === 'table') {
      process.stdout.write(Buffer.from(only.value, 'base64'))
      return
    }
    const cut = data.more ? [`Only the first ${data.kvs.length} of ${data.count} keys; ask for more with --limit.`] : []
    const isAlone = !flags.prefix && !this.view.isWide
    await this.answer(
      operation.name,
      data,
      (found, view) => {
        if (flags.count) return String(found.count)
        return isAlone && found.kvs[0] !== undefined ? found.kvs[0].value : renderKvs(found.kvs, view)
      },
      [...warnings, ...cut],
    )
  }
}
