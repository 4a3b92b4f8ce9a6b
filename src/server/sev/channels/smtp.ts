import { createHash } from 'node:crypto'
import type { ChannelSettings } from '../../../core/sev/schema.ts'
import { ATTEMPT_MS_MAX, failed, reasonOf, sent, type Channel } from './channel.ts'
import { secretFrom } from './secrets.ts'

interface SmtpError extends Error {
  responseCode?: number
  code?: string
}

/** Ids of mails are derived from the delivery's key, so a repeat is recognised; the fleet's own part keeps fleets apart. */
function messageId(root: string, name: string): string {
  return `<${name}.${createHash('sha256').update(root).digest('hex').slice(0, 16)}@muster.invalid>`
}

/** One mail. 2xx after DATA is success; 4xx and network trouble are tried again, 5xx is the end of this contact. */
export const smtpChannel: Channel = async (delivery, host, signal) => {
  const settings = delivery.settings as NonNullable<ChannelSettings['smtp']> | null
  if (settings === null) return failed('no mail server is set: channels.smtp of the on-call file', true)
  const { facts, firstLine, text } = delivery.page
  try {
    const password = settings.passwordFile === undefined ? undefined : await secretFrom(settings.passwordFile)
    const { createTransport } = await import('nodemailer')
    const transport = createTransport({
      host: settings.host,
      port: settings.port,
      secure: settings.port === 465,
      requireTLS: settings.tls === 'required',
      ignoreTLS: settings.tls === 'off',
      connectionTimeout: ATTEMPT_MS_MAX,
      greetingTimeout: ATTEMPT_MS_MAX,
      socketTimeout: ATTEMPT_MS_MAX,
      ...(settings.user === undefined ? {} : { auth: { user: settings.user, pass: password ?? '' } }),
    })
    const gone = new Promise<never>((_resolve, reject) => {
      signal.addEventListener('abort', () => reject(new DOMException('timeout', 'TimeoutError')), { once: true })
    })
    try {
      const thread = messageId(host.paths.root, `incident-${facts.incident}`)
      const info = await Promise.race([
        transport.sendMail({
          from: settings.from,
          to: delivery.address,
          subject: firstLine,
          text,
          messageId: messageId(host.paths.root, delivery.key),
          inReplyTo: thread,
          references: [thread],
          headers: { 'Auto-Submitted': 'auto-generated', 'X-Muster-Key': delivery.key },
        }),
        gone,
      ])
      return sent(info.response.slice(0, 120))
    } finally {
      transport.close()
    }
  } catch (error) {
    const { responseCode, code } = error as SmtpError
    if (responseCode !== undefined) return failed(`SMTP ${responseCode}`, responseCode >= 500)
    return failed(code === 'ETIMEDOUT' || code === 'ESOCKET' ? code : reasonOf(error))
  }
}
