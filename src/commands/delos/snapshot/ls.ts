import { resolve } from 'node:path'
import { Args, MusterCommand } from '../../../cli/command.ts'
import { STORE_FLAGS } from '../../../cli/flags/store.ts'
import { renderSnapshotFiles, renderSnapshots, type SnapshotsAnswer } from '../../../cli/render/delos-snapshots.ts'
import { EXIT } from '../../../core/kernel/errors.ts'

export default class SnapshotLs extends MusterCommand {
  static override summary = 'List what snapshots the servers of a store have on their disks, or with a folder, those in it here.'
  static override description =
    'Of a server: its rows, from which it starts, up to which position they are on its disk, and copies that it made for other servers. ' +
    'In a folder each file is read as a whole: exit 7 when one is damaged.'
  static override args = { dir: Args.string({ description: 'a folder with files of `delos snapshot save`, or one of them' }) }
  static override flags = STORE_FLAGS
  static override examples = ['<%= config.bin %> delos snapshot ls', '<%= config.bin %> delos snapshot ls /backup']

  async run(): Promise<void> {
    const { args, flags } = await this.start(SnapshotLs)
    if (args.dir !== undefined) {
      const { listSnapshots } = await import('../../../server/delos/snapshot/list-files.ts')
      const files = await listSnapshots(resolve(args.dir))
      await this.answer(this.dottedId, { files }, (data, view) => renderSnapshotFiles(data.files, view))
      if (files.some(({ problem }) => problem !== null)) process.exitCode = EXIT.findings
      return
    }
    const { askEach, outcomeOf } = await import('../../../cli/delos/each-server.ts')
    const servers = await askEach<SnapshotsAnswer>(flags, 'snapshot/list', {}, undefined)
    const outcome = outcomeOf(servers)
    if (outcome instanceof Error) throw outcome
    await this.answer(this.dottedId, { servers }, (data, view) => renderSnapshots(data.servers, view))
    if (outcome === 'partial') process.exitCode = EXIT.partial
  }
}
