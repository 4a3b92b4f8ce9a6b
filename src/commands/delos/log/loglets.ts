import { Flags } from '../../../cli/command.ts'
import { StoreCommand } from '../../../cli/delos/store-command.ts'
import { SERVERS_FLAGS } from '../../../cli/flags/store.ts'
import { renderChain, type ChainAnswer } from '../../../cli/render/delos-chain.ts'

export default class LogLoglets extends StoreCommand {
  static override summary = 'Show where a log lies: the chain of its loglets.'
  static override flags = {
    log: Flags.option({
      options: ['control', 'kv'] as const,
      description: "which log: without it control of this context's servers, kv of a store's",
    })(),
    ...SERVERS_FLAGS,
  }
  static override examples = [
    '<%= config.bin %> delos log loglets',
    '<%= config.bin %> delos log loglets --endpoints http://127.0.0.1:2379',
  ]

  async run(): Promise<void> {
    const { flags } = await this.start(LogLoglets)
    const operator = await this.operator(flags, flags.log ?? 'control')
    try {
      await this.answer(this.dottedId, await operator.ask<ChainAnswer>('log/loglets', {}), renderChain)
    } finally {
      operator.close()
    }
  }
}
