import type { DeliverBody } from '../../core/sev/controllers/dispatcher.ts'
import type { ChannelName } from '../../core/sev/schema.ts'
import { ATTEMPT_MS_MAX, failed, reasonOf, type Channel, type ChannelHost, type Outcome } from './channels/channel.ts'
import { commandChannel } from './channels/command.ts'
import { fileChannel } from './channels/file.ts'
import { smtpChannel } from './channels/smtp.ts'
import { terminalChannel } from './channels/terminal.ts'
import { webhookChannel } from './channels/webhook.ts'

const CHANNELS: Record<ChannelName, Channel> = {
  terminal: terminalChannel,
  file: fileChannel,
  webhook: webhookChannel,
  command: commandChannel,
  smtp: smtpChannel,
}

/** One attempt, which ends within 10 s. Rejects only when the server is stopping: then the outcome is not known. */
export async function deliver(body: DeliverBody, host: ChannelHost, stop: AbortSignal): Promise<Outcome> {
  const signal = AbortSignal.any([stop, AbortSignal.timeout(ATTEMPT_MS_MAX)])
  // A channel that does not mind its signal (a dead network file system) may hang, the page may not.
  const over = new Promise<never>((_resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true })
  })
  try {
    const outcome = await Promise.race([CHANNELS[body.channel](body, host, signal), over])
    if (!outcome.isOk) stop.throwIfAborted()
    return outcome
  } catch (error) {
    stop.throwIfAborted()
    return failed(reasonOf(error))
  }
}
