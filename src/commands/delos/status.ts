import { Flags, QueryCommand, remote, type InputOf, type OutputOf, type View } from '../../cli/command.ts'
import { STORE_FLAGS, storeOptions } from '../../cli/flags/store.ts'
import { renderDelosStatus } from '../../cli/render/delos.ts'
import { EXIT } from '../../core/kernel/errors.ts'

const operation = remote('delos.status', async () => (await import('../../core/delos/operations.ts')).status)

export default class DelosStatus extends QueryCommand<typeof operation> {
  static override operation = operation
  static override summary = 'Show where the logs stand, where they are, and how durable they are.'
  static override description =
    'Of the control plane of this context; with --endpoints, or $MUSTER_DELOS_ENDPOINTS, of the servers of a store there, ours or etcd: ' +
    'who is reached and why not, who leads, how far each is behind, how fast its disk syncs, how far its clock is off. With --exit-code, 7 if there is anything to look at.'
  static override flags = {
    watch: Flags.boolean({ char: 'w', description: 'go on, a picture every second; elsewhere than on a terminal one object a line' }),
    every: Flags.string({ description: 'with --watch, how often', default: '1s', helpValue: 'TIME' }),
    'exit-code': Flags.boolean({ description: 'exit with 7 if a server or its disk needs somebody' }),
    ...STORE_FLAGS,
  }
  static override examples = [
    '<%= config.bin %> delos status',
    '<%= config.bin %> delos status --json',
    '<%= config.bin %> delos status --endpoints http://127.0.0.1:2379',
  ]

  input(): InputOf<typeof operation> {
    return {}
  }

  render(data: OutputOf<typeof operation>, view: View): string {
    return renderDelosStatus(data, view)
  }

  override async run(): Promise<void> {
    const { flags } = await this.start(DelosStatus)
    const { watchEvery } = await import('../../cli/follow/every.ts')
    const everyMs = flags.watch ? watchEvery.everyMs(flags.every) : null
    const endpoints = flags.endpoints ?? (process.env['MUSTER_DELOS_ENDPOINTS'] || undefined)
    const show = (text: string, data: unknown): void => watchEvery.show(text, data, { isMachine: this.isMachine, isScreen: this.isScreen })
    if (endpoints === undefined) {
      if (everyMs === null) return this.answerOnce(operation, {})
      await watchEvery.run(everyMs, this.interrupted(), async () => {
        const { data } = await this.call(operation, {})
        show(renderDelosStatus(data, this.view), data)
      })
      return
    }
    const { lookAtStore } = await import('../../cli/delos/look.ts')
    const { hasTrouble, renderStoreStatus } = await import('../../cli/render/delos-store.ts')
    const options = storeOptions({ ...flags, endpoints })
    if (everyMs !== null) {
      await watchEvery.run(everyMs, this.interrupted(), async () => {
        const data = await lookAtStore(options)
        show(renderStoreStatus(data, Date.now(), this.view), data)
      })
      return
    }
    const store = await lookAtStore(options)
    await this.answer('delos.status.store', store, (data, view) => renderStoreStatus(data, Date.now(), view))
    if (flags['exit-code'] && hasTrouble(store)) process.exitCode = EXIT.findings
  }
}
