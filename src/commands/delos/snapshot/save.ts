import { resolve } from 'node:path'
import { Args, ChangeCommand, remote, type OutputOf, type Parsed } from '../../../cli/command.ts'
import { STORE_FLAGS, storeOf } from '../../../cli/flags/store.ts'
import { renderStoreSnapshot } from '../../../cli/render/store-snapshot.ts'
import { formatSize } from '../../../core/kernel/units.ts'

const operation = remote('delos.snapshot.save', async () => (await import('../../../core/delos/operations.ts')).snapshotSave)

export default class SnapshotSave extends ChangeCommand<typeof operation> {
  static override operation = operation
  static override summary = 'Save the whole state of the context, or with --endpoints of a store, to one file, while it runs.'
  static override description =
    'Holds both logs, their databases, the artifacts, the keys and the plan of the local fleet; not the event store (scuba). ' +
    'The file is written on the machine of the server, readable by its user only, for it holds keys. ' +
    'With --endpoints it is the store of `muster delos serve` that is saved, here: all keys, leases, users and roles of one moment, and a SHA-256.'
  static override args = { file: Args.string({ required: true, description: 'file to write; must not exist' }) }
  static override flags = STORE_FLAGS
  static override examples = [
    '<%= config.bin %> delos snapshot save ./muster.snapshot',
    '<%= config.bin %> delos snapshot save /backup/monday.snapshot --json',
    '<%= config.bin %> delos snapshot save ./store.snapshot --endpoints http://127.0.0.1:2379',
  ]

  override async run(): Promise<void> {
    const { args, flags } = await this.start(SnapshotSave)
    if (flags.endpoints === undefined) return super.run()
    const { saveStore } = await import('../../../server/delos/snapshot/store-file.ts')
    const client = await storeOf(flags)
    try {
      await this.answer(this.dottedId, await saveStore(client.snapshot(this.interrupted()), resolve(args.file)), renderStoreSnapshot)
    } finally {
      client.close()
    }
  }

  input({ args }: Parsed<typeof SnapshotSave>) {
    return { file: resolve(args.file) }
  }

  render(data: OutputOf<typeof operation>): string {
    const logs = Object.entries(data.logs).map(([log, { tail }]) => `${log} up to position ${tail - 1}`)
    return `${data.file}: ${formatSize(data.bytes)}, ${logs.join(', ')}\nsha256 ${data.sha256}`
  }
}
