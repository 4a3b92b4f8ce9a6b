import { once } from 'node:events'
import { Args, defined, Flags, MusterCommand, remote, type InputOf, type OutputOf } from '../../../cli/command.ts'
import { OTHER_STORE_FLAGS } from '../../../cli/flags/store.ts'
import { renderKvs, renderKvsInParts } from '../../../cli/render/delos.ts'
import { MusterError } from '../../../core/kernel/errors.ts'

const operation = remote('delos.kv.get', async () => (await import('../../../core/delos/operations.ts')).kvGet)
type Found = OutputOf<typeof operation>

/** Keys of one answer; longer lists are asked for in pages. */
const PAGE_KEYS = 1000

export default class KvGet extends MusterCommand {
  static override summary = 'Read a key, or all keys with a prefix.'
  static override description =
    'One key prints its value alone, bytes that are no text as they are; -o wide adds revisions. A key that does not exist exits with 3. A list of any length is read in pages and printed as they come, all of one revision.'
  static override args = {
    key: Args.string({ required: true, description: 'the key, or with --prefix what keys start with ("" for all)' }),
  }
  static override flags = {
    prefix: Flags.boolean({ description: 'all keys that start so' }),
    rev: Flags.integer({ description: 'as it stood at this revision', helpValue: 'REVISION', min: 1 }),
    limit: Flags.integer({ description: 'at most so many keys; without it all', min: 1 }),
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
    const limit = flags.limit ?? Infinity
    const input = defined({
      key: args.key,
      isPrefix: flags.prefix,
      limit: Math.min(limit, PAGE_KEYS),
      isKeysOnly: flags['keys-only'],
      isCountOnly: flags.count,
      isSerializable: flags.serializable,
      revision: flags.rev,
    })
    const { data, warnings } = await this.call(operation, input)
    const [only] = data.kvs
    if (!flags.prefix && !flags.count && only === undefined)
      throw new MusterError('DELOS_KEY_UNKNOWN', `the key ${args.key} does not exist`)
    if (!flags.prefix && only?.isValueBase64 === true && this.format === 'table') {
      process.stdout.write(Buffer.from(only.value, 'base64'))
      return
    }
    const isCut = !flags.count && data.count > limit
    const told = isCut ? [...warnings, `Only the first ${limit} of ${data.count} keys; ask for more with --limit.`] : warnings
    if (data.more && !flags.count && data.kvs.length < limit) return this.list(data, input, limit, told)
    const isAlone = !flags.prefix && !this.view.isWide
    await this.answer(
      operation.name,
      data,
      (found, view) => {
        if (flags.count) return String(found.count)
        return isAlone && found.kvs[0] !== undefined ? found.kvs[0].value : renderKvs(found.kvs, view)
      },
      told,
    )
  }

  /** More than one page: each is written before the next one is asked for. */
  private async list(first: Found, input: InputOf<typeof operation>, limit: number, warnings: readonly string[]): Promise<void> {
    const { revision, count } = first
    for (const warning of warnings) this.note(`▲ ${warning}`)
    const write = async (text: string): Promise<void> => {
      if (!process.stdout.write(text)) await once(process.stdout, 'drain')
    }
    const [part, tail] = await this.parts({ revision, count, more: count > limit }, warnings, write)
    await write(part(first.kvs))
    let left = limit - first.kvs.length
    for (let page = first; page.more && left > 0; left -= page.kvs.length) {
      const last = page.kvs.at(-1)
      const after = defined({ after: last?.key, isAfterBase64: last?.isKeyBase64 })
      page = (await this.call(operation, { ...input, ...after, revision, limit: Math.min(left, PAGE_KEYS) })).data
      if (page.kvs.length > 0) await write(part(page.kvs))
    }
    await write(tail)
  }

  private async parts(
    data: Omit<Found, 'kvs'>,
    warnings: readonly string[],
    write: (text: string) => Promise<void>,
  ): Promise<[part: (kvs: Found['kvs']) => string, tail: string]> {
    const kind = this.format
    if (kind === 'table' || kind === 'wide') {
      const render = renderKvsInParts(this.view)
      return [(kvs) => `${render(kvs)}\n`, '']
    }
    const { listWriter } = await import('../../../cli/list-writer.ts')
    const { head, rows, tail } = await listWriter(kind, { schema: operation.name, data, name: 'kvs', warnings })
    await write(head)
    return [rows, tail]
  }
}
