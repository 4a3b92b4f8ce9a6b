import { resolve } from 'node:path'
import { Args, MusterCommand } from '../../../cli/command.ts'

export default class SnapshotRestore extends MusterCommand {
  static override summary = 'Make the state of a context from a snapshot; then start it with `muster up`.'
  static override description =
    'Refused while a server runs on the context and when it already has a state. Nothing is put in place before the whole file was checked. ' +
    'Do not run the old fleet and the restored one at the same time: both would act on the same rollouts and pages.'
  static override args = { file: Args.string({ required: true, description: 'the snapshot' }) }
  static override examples = ['<%= config.bin %> delos snapshot restore ./muster.snapshot --context restored']

  async run(): Promise<void> {
    const { args } = await this.start(SnapshotRestore)
    const { restoreSnapshot } = await import('../../../server/delos/snapshot/restore.ts')
    const restored = await restoreSnapshot(this.paths, resolve(args.file))
    await this.answer('delos.snapshot.restore', restored, (data) => {
      const logs = Object.entries(data.logs).map(([log, { tail }]) => `${log} up to position ${tail - 1}`)
      return `context "${data.context}" has the state of "${data.from}" as of ${new Date(data.savedAt).toISOString()}: ${logs.join(', ')}\nStart it with \`muster up\`.`
    })
  }
}
