import { MusterCommand } from '../../../cli/command.ts'
import { operatorOf, STORE_FLAGS } from '../../../cli/flags/store.ts'
import { renderChain, type ChainAnswer } from '../../../cli/render/delos-chain.ts'

export default class LogLoglets extends MusterCommand {
  static override summary = "Show where a store's log lies: the chain of its loglets."
  static override flags = { ...STORE_FLAGS }
  static override examples = ['<%= config.bin %> delos log loglets --endpoints http://127.0.0.1:2379']

  async run(): Promise<void> {
    const { flags } = await this.start(LogLoglets)
    const operator = await operatorOf(flags)
    try {
      await this.answer(this.dottedId, await operator.ask<ChainAnswer>('log/loglets', {}), renderChain)
    } finally {
      operator.close()
    }
  }
}
