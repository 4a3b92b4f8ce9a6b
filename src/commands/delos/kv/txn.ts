import { readFileSync } from 'node:fs'
import { ChangeCommand, Flags, remote, type InputOf, type OutputOf, type Parsed, type View } from '../../../cli/command.ts'
import { OTHER_STORE_FLAGS } from '../../../cli/flags/store.ts'
import { renderTxn } from '../../../cli/render/delos.ts'
import { isRefusal, MusterError } from '../../../core/kernel/errors.ts'
import { textOf } from '../../../platform/streams.ts'

const operation = remote('delos.kv.txn', async () => (await import('../../../core/delos/operations.ts')).kvTxn)

export default class KvTxn extends ChangeCommand<typeof operation> {
  static override operation = operation
  static override summary = 'Compare keys, and do the one or the other, as one revision.'
  static override description =
    'Takes what `etcdctl txn` takes: comparisons, then what to do if all of them hold, then what to do if not, each part ended by an empty line; or JSON as POST /v1/delos/kv/txn takes it. ' +
    'Comparisons are mod("key") = "3", create, version, lease and value with =, !=, < or >; requests are put, get and del as words. Without -f it is read from standard input.'
  static override flags = {
    file: Flags.string({ char: 'f', description: 'where it is written; - for standard input', helpValue: 'FILE', default: '-' }),
    ...OTHER_STORE_FLAGS,
  }
  static override examples = [
    'printf \'mod("a") = "0"\\n\\nput a first\\n\\nget a\\n\\n\' | <%= config.bin %> delos kv txn',
    '<%= config.bin %> delos kv txn -f move.txn --plan',
  ]

  async input({ flags }: Parsed<typeof KvTxn>): Promise<InputOf<typeof operation>> {
    const text = await this.read(flags.file)
    if (text.trimStart().startsWith('{')) return jsonOf(text)
    const { parseTxn } = await import('../../../core/delos/programs/txn-text.ts')
    const parsed = parseTxn(text)
    if (isRefusal(parsed)) throw parsed
    return parsed
  }

  render(data: OutputOf<typeof operation>, view: View): string {
    return renderTxn(data, view)
  }

  private async read(file: string): Promise<string> {
    if (file !== '-') {
      try {
        return readFileSync(file, 'utf8')
      } catch (error) {
        throw new MusterError('FILE_UNREADABLE', `${file} cannot be read: ${(error as Error).message}`, { cause: error })
      }
    }
    if (process.stdin.isTTY)
      this.note('comparisons, an empty line, requests if they hold, an empty line, requests if not, an empty line; then Ctrl-D')
    return textOf(process.stdin)
  }
}

function jsonOf(text: string): InputOf<typeof operation> {
  try {
    return JSON.parse(text) as InputOf<typeof operation>
  } catch (cause) {
    throw new MusterError('USAGE', `the transaction begins like JSON and is none: ${(cause as Error).message}`, { cause })
  }
}
