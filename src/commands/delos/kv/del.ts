import { Args, ChangeCommand, defined, Flags, remote, type OutputOf, type Parsed } from '../../../cli/command.ts'
import { OTHER_STORE_FLAGS } from '../../../cli/flags/store.ts'
import { count } from '../../../cli/render/text.ts'

const operation = remote('delos.kv.del', async () => (await import('../../../core/delos/operations.ts')).kvDel)

export default class KvDel extends ChangeCommand<typeof operation> {
  static override operation = operation
  static override summary = 'Delete a key, or all keys with a prefix.'
  static override args = { key: Args.string({ required: true, description: 'the key, or with --prefix what keys start with' }) }
  static override flags = {
    prefix: Flags.boolean({ description: 'all keys that start so' }),
    expect: Flags.integer({ description: 'only if its mod_revision is this', helpValue: 'REVISION', min: 0 }),
    fence: Flags.string({ description: 'only while this token holds this lock', helpValue: 'LOCK:TOKEN' }),
    'prev-kv': Flags.boolean({ description: 'give what was deleted' }),
    ...OTHER_STORE_FLAGS,
  }
  static override examples = ['<%= config.bin %> delos kv del config/web', '<%= config.bin %> delos kv del config/ --prefix --plan']

  input({ args, flags }: Parsed<typeof KvDel>) {
    return defined({ key: args.key, isPrefix: flags.prefix, wantsPrev: flags['prev-kv'], expect: flags.expect, fence: flags.fence })
  }

  render(data: OutputOf<typeof operation>): string {
    return `${count(data.deleted, 'key')} deleted${data.deleted > 0 ? ` at revision ${data.revision}` : ''}`
  }
}
