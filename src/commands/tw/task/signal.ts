import { Args, ChangeCommand, remote, type InputOf, type OutputOf, type Parsed } from '../../../cli/command.ts'

const operation = remote('tw.task.signal', async () => (await import('../../../core/tw/operations.ts')).taskSignal)

export default class TwTaskSignal extends ChangeCommand<typeof operation> {
  static override operation = operation
  static override summary = 'Send a signal to the main process of a task.'
  static override args = {
    task: Args.string({ description: 'JOB/GROUP[INDEX], or the id of a task', required: true }),
    signal: Args.string({ description: 'SIGHUP, or HUP', required: true }),
  }
  static override examples = ["<%= config.bin %> tw task signal 'web/api[3]' SIGHUP"]

  input({ args }: Parsed<typeof TwTaskSignal>): InputOf<typeof operation> {
    const signal = (args.signal ?? '').toUpperCase()
    return { task: args.task ?? '', signal: signal.startsWith('SIG') ? signal : `SIG${signal}` }
  }

  render(data: OutputOf<typeof operation>): string {
    return `sent to ${data.task} on ${data.node}`
  }
}
