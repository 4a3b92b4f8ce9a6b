import { Args, ChangeCommand, defined, Flags, remote, type OutputOf, type Parsed } from '../../../cli/command.ts'
import { OTHER_STORE_FLAGS } from '../../../cli/flags/store.ts'
import { MusterError } from '../../../core/kernel/errors.ts'
import { bytesOf } from '../../../platform/streams.ts'

const operation = remote('delos.kv.put', async () => (await import('../../../core/delos/operations.ts')).kvPut)

export default class KvPut extends ChangeCommand<typeof operation> {
  static override operation = operation
  static override summary = 'Set a key.'
  static override description = 'Without VALUE the value is read from standard input; it may be any bytes.'
  static override args = {
    key: Args.string({ required: true, description: 'the key' }),
    value: Args.string({ description: 'its value; without it, standard input' }),
  }
  static override flags = {
    lease: Flags.string({ description: 'delete the key when this lease ends', helpValue: 'ID' }),
    expect: Flags.integer({ description: 'only if its mod_revision is this; 0: only if it does not exist', helpValue: 'REVISION', min: 0 }),
    fence: Flags.string({ description: 'only while this token holds this lock', helpValue: 'LOCK:TOKEN' }),
    'prev-kv': Flags.boolean({ description: 'give what was there before' }),
    ...OTHER_STORE_FLAGS,
  }
  static override examples = [
    '<%= config.bin %> delos kv put config/web "retries=3"',
    '<%= config.bin %> delos kv put config/web --expect 0 < web.conf',
    '<%= config.bin %> delos kv put jobs/last done --fence nightly:12',
  ]

  async input({ args, flags }: Parsed<typeof KvPut>) {
    const value = args.value === undefined ? await readValue() : { value: args.value }
    return defined({
      key: args.key,
      ...value,
      wantsPrev: flags['prev-kv'],
      lease: flags.lease,
      expect: flags.expect,
      fence: flags.fence,
    })
  }

  render(data: OutputOf<typeof operation>): string {
    const before = data.prev === null ? '' : `, was ${JSON.stringify(data.prev.value)}`
    return `${data.kv.key} set at revision ${data.revision}${before}`
  }
}

async function readValue(): Promise<{ value: string; isValueBase64?: boolean }> {
  if (process.stdin.isTTY) throw new MusterError('USAGE', 'a value is missing', { hint: 'Give it after the key, or on standard input.' })
  const bytes = await bytesOf(process.stdin)
  const { isUtf8 } = process.getBuiltinModule('node:buffer')
  return isUtf8(bytes) ? { value: bytes.toString('utf8') } : { value: bytes.toString('base64'), isValueBase64: true }
}
