import { resolve } from 'node:path'
import { Flags } from '../../../cli/command.ts'
import { STORE_CHANGE_FLAGS, StoreCommand } from '../../../cli/delos/store-command.ts'
import { durationFlag } from '../../../cli/flags/time.ts'
import { renderArchives, type ArchiveAnswer } from '../../../cli/render/delos-space.ts'
import { EXIT } from '../../../core/kernel/errors.ts'

export default class LogArchive extends StoreCommand {
  static override summary = 'Have each server of a store write its log into a folder, all the time; without --to, show how far it is.'
  static override description =
    'The folder is one on the machine of the server, best on another disk, or mounted there; several servers and clusters may have the same. Each server keeps to it, over restarts, ' +
    'until --off; what is not archived yet is not trimmed. A file counts once the manifest names it, with its positions and SHA-256; `muster delos log verify DIR` reads them. ' +
    'With a snapshot, `muster delos snapshot restore FILE --archive DIR` brings back the store as it was at any position or time in it. Exit 8 when some servers did not do it.'
  static override flags = {
    to: Flags.string({ description: 'the folder, on each server', helpValue: 'DIR', exclusive: ['off'] }),
    every: Flags.string({ description: 'how often what is new is written, 1s to 1h', default: '1m', helpValue: 'TIME' }),
    off: Flags.boolean({ description: 'archive no more; what is archived stays' }),
    server: Flags.string({ description: 'only this one', helpValue: 'NAME' }),
    ...STORE_CHANGE_FLAGS,
  }
  static override examples = [
    '<%= config.bin %> delos log archive --to /backup/store --every 1m',
    '<%= config.bin %> delos log archive',
    '<%= config.bin %> delos log archive --off --yes',
  ]

  async run(): Promise<void> {
    const { flags } = await this.start(LogArchive)
    const everyMs = durationFlag('every', flags.every, 1000)
    const to = flags.off ? null : flags.to === undefined ? undefined : resolve(flags.to)
    const { askEach, outcomeOf } = await import('../../../cli/delos/each-server.ts')
    if (to !== undefined) {
      const who = flags.server === undefined ? 'Each server' : `Server ${flags.server}`
      const text = to === null ? `${who} archives its log no more.` : `${who} archives its log to ${to}, every ${flags.every}.`
      if (!(await this.isAgreed({ text, danger: to === null ? 'medium' : 'low' }, flags))) return
    }
    const servers = await askEach<ArchiveAnswer>(flags, 'log/archive', to === undefined ? {} : { to, everyMs }, flags.server)
    const outcome = outcomeOf(servers)
    if (outcome instanceof Error) throw outcome
    await this.answer(this.dottedId, { servers }, (data, view) => renderArchives(data.servers, view))
    if (outcome === 'partial') process.exitCode = EXIT.partial
  }
}
