import { resolve } from 'node:path'
import { Args, Flags, MusterCommand } from '../../../cli/command.ts'
import { timeOf } from '../../../cli/flags/time.ts'
import { renderStoreSnapshot } from '../../../cli/render/store-snapshot.ts'

export default class SnapshotRestore extends MusterCommand {
  static override summary = 'Make the state of a context, or with --data-dir that of a store, from a snapshot.'
  static override description =
    'Refused while a server runs on the context and when it already has a state. Nothing is put in place before the whole file was checked. ' +
    'Do not run the old fleet and the restored one at the same time: both would act on the same rollouts and pages. ' +
    'Tokens of the API are those of then: what `token revoke` ended since is good again, and has to be revoked again. ' +
    'With --data-dir it makes the directory of one server of `muster delos serve`, always of a new cluster; make that of each server from the same file. ' +
    'With --archive the store is brought on from there, as its servers had it at the last archived position, or at --at or --at-time; for several servers give one of the two.'
  static override args = { file: Args.string({ required: true, description: 'the snapshot' }) }
  static override flags = {
    'data-dir': Flags.string({
      description: 'directory of a server of a store; must be empty',
      helpValue: 'DIR',
      dependsOn: ['as-new-cluster'],
    }),
    'as-new-cluster': Flags.boolean({
      description: 'yes, it becomes another cluster than the one that was saved',
      dependsOn: ['data-dir'],
    }),
    name: Flags.string({ description: 'name of the server', default: 'default', helpValue: 'NAME' }),
    'initial-cluster': Flags.string({ description: 'all servers of the cluster; without it this one alone', helpValue: 'NAME=URL,…' }),
    'initial-cluster-token': Flags.string({ description: 'tells the new cluster from the old', default: 'restored', helpValue: 'NAME' }),
    archive: Flags.string({
      description: 'folder that `muster delos log archive --to` named, on this machine: apply what came after the snapshot',
      helpValue: 'DIR',
      dependsOn: ['data-dir'],
    }),
    at: Flags.integer({
      description: 'with --archive, up to this position of the log and not further',
      helpValue: 'POSITION',
      min: 1,
      dependsOn: ['archive'],
      exclusive: ['at-time'],
    }),
    'at-time': Flags.string({
      description: 'the same, up to the last change at or before this time',
      helpValue: 'TIME',
      dependsOn: ['archive'],
    }),
    'bump-revision': Flags.integer({
      description: 'raise the revision by so many, past what clients of the old cluster may have seen',
      default: 0,
      min: 0,
      helpValue: 'N',
    }),
  }
  static override examples = [
    '<%= config.bin %> delos snapshot restore ./muster.snapshot --context restored',
    '<%= config.bin %> delos snapshot restore ./store.snapshot --data-dir ./store --as-new-cluster --bump-revision 1000000',
    '<%= config.bin %> delos snapshot restore ./store.snapshot --data-dir ./store --as-new-cluster --archive /backup/store --at-time 2026-11-28T09:30:00Z',
  ]

  async run(): Promise<void> {
    const { args, flags } = await this.start(SnapshotRestore)
    if (flags['data-dir'] !== undefined) return this.restoreStore(resolve(args.file), resolve(flags['data-dir']), flags)
    const { restoreSnapshot } = await import('../../../server/delos/snapshot/restore.ts')
    const restored = await restoreSnapshot(this.paths, resolve(args.file))
    await this.answer('delos.snapshot.restore', restored, (data) => {
      const logs = Object.entries(data.logs).map(([log, { tail }]) => `${log} up to position ${tail - 1}`)
      return `context "${data.context}" has the state of "${data.from}" as of ${new Date(data.savedAt).toISOString()}: ${logs.join(', ')}\nStart it with \`muster up\`.`
    })
  }

  private async restoreStore(
    file: string,
    dataDir: string,
    flags: {
      name: string
      'initial-cluster'?: string | undefined
      'initial-cluster-token': string
      'bump-revision': number
      archive?: string | undefined
      at?: number | undefined
      'at-time'?: string | undefined
    },
  ): Promise<void> {
    const { restoreStore } = await import('../../../server/delos/snapshot/restore-store.ts')
    const { name, 'initial-cluster-token': token, 'bump-revision': bumpRevision } = flags
    const initialCluster = flags['initial-cluster'] ?? `${name}=http://127.0.0.1:2380`
    const time = flags['at-time']
    const until = flags.at !== undefined ? { position: flags.at } : time === undefined ? null : { timeMs: timeOf(time) }
    const archive = flags.archive === undefined ? undefined : { dir: resolve(flags.archive), until }
    const restored = await restoreStore(file, { dataDir, name, initialCluster, token, bumpRevision, archive })
    await this.answer(this.dottedId, restored, (data) => {
      const names = data.withoutPassword.join(', ')
      const anew = names === '' ? '' : `\nPasswords have to be set anew: ${names}.`
      const since = data.applied?.timeMs == null ? '' : `, the last change is of ${new Date(data.applied.timeMs).toISOString()}`
      const applied = data.applied === null ? '' : `\nThe archive was applied up to position ${data.applied.position}${since}.`
      const start = `muster delos serve --name ${name} --data-dir ${data.dataDir} --initial-cluster ${initialCluster} --initial-cluster-token ${token}`
      return `${renderStoreSnapshot({ ...data, file: data.dataDir })}${applied}\nIt is server ${data.server} of the new cluster ${data.newCluster}. Start it with \`${start}\`.${anew}`
    })
  }
}
