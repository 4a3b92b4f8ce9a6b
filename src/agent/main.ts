import { MusterError } from '../core/kernel/errors.ts'
import { startAgent } from './agent.ts'
import { parseOptions } from './options.ts'

try {
  const agent = await startAgent({ ...parseOptions(process.argv.slice(2)), onUpgrade: () => detach() })
  const detach = (): void => {
    agent.detach()
    process.exit(0)
  }
  // A bug ends the agent, said in its log; the tasks do not notice, and the next agent adopts them.
  process.on('uncaughtException', (error) => {
    agent.failed(error)
    process.exit(70)
  })
  process.once('SIGTERM', detach)
  process.once('SIGINT', detach)
  // Whoever started us may have closed its terminal.
  process.on('SIGHUP', () => {})
} catch (error) {
  const exit = error instanceof MusterError ? error.exit : 70
  process.stderr.write(`muster agent: ${error instanceof MusterError ? `${error.code}: ${error.message}` : (error as Error).stack}\n`)
  process.exit(exit)
}
