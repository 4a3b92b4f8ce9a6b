import { resolve } from 'node:path'
import { Args, MusterCommand } from '../../../cli/command.ts'
import { renderStoreSnapshot } from '../../../cli/render/store-snapshot.ts'

export default class SnapshotVerify extends MusterCommand {
  static override summary = 'Read a snapshot of a store and tell what it holds.'
  static override description = 'Checks its SHA-256 and every page. Exit 2 when it is not whole.'
  static override args = { file: Args.string({ required: true, description: 'the snapshot' }) }
  static override examples = ['<%= config.bin %> delos snapshot verify ./store.snapshot']

  async run(): Promise<void> {
    const { args } = await this.start(SnapshotVerify)
    const { verifyStore } = await import('../../../server/delos/snapshot/store-file.ts')
    await this.answer(this.dottedId, await verifyStore(resolve(args.file)), renderStoreSnapshot)
  }
}
