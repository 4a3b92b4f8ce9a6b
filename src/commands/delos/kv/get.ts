import { Args, defined, Flags, MusterCommand, remote } from '../../../cli/command.ts'
import { renderKvs } from '../../../cli/render/delos.ts'
import { MusterError } from '../../../core/kernel/errors.ts'

const operation = remote('delos.kv.get', async () => (await import('../../../core/delos/operations.ts')).kvGet)

export default class KvGet extends MusterCommand {
  static override summary = 'Read a key, or all keys with a prefix.'
  static override description = 'One key prints its value alone; -o wide adds revisions. A key that does not exist exits with 3.'
  static override args = {
    key: Args.string({ required: true, description: 'the key, or with --prefix what keys start with ("" for all)' }),
  }
  static override flags = {
    prefix: Flags.boolean({ description: 'all keys that start so' }),
    rev: Flags.integer({ description: 'as it stood at this revision', helpValue: 'REVISION', min: 1 }),
    limit: Flags.integer({ description: 'at most so many keys', default: 1000, min: 1, max: 10_000 }),
    'keys-only': Flags.boolean({ description: 'leave the values out' }),
    count: Flags.boolean({ description: 'only how many there are' }),
  }
  static override examples = ['<%= config.bin %> delos kv get config/web', '<%= config.bin %> delos kv get config/ --prefix -o json']

  async run(): Promise<void> {
    const { args, flags } = await this.start(KvGet)
    const input = {
      key: args.key,
      isPrefix: flags.prefix,
      limit: flags.limit,
      isKeysOnly: flags['keys-only'],
      isCountOnly: flags.count,
      revision: flags.rev,
    }
    const { data, warnings } = await this.call(operation, defined(input))
    if (!flags.prefix && !flags.count && data.kvs.length === 0)
      throw new MusterError('DELOS_KEY_UNKNOWN', `the key ${args.key} does not exist`)
    const cut = data.more ? [`Only the first ${data.kvs.length} of ${data.count} keys; ask for more with --limit.`] : []
    await this.answer(
      operation.name,
      data,
      (found, view) => (flags.count ? String(found.count) : renderKvs(found.kvs, !flags.prefix, view)),
      [...warnings, ...cut],
    )
  }
}
