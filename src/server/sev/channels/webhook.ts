import { createHmac } from 'node:crypto'
import { failed, reasonOf, sent, type Channel } from './channel.ts'
import { secretFrom, webhookSecret } from './secrets.ts'

/** `t=<seconds>,v1=<hex>`: HMAC-SHA256 of `<seconds>.<body>`; the receiver checks it and refuses old ones. */
export function signatureOf(secret: string, body: string, seconds: number): string {
  return `t=${seconds},v1=${createHmac('sha256', secret).update(`${seconds}.${body}`).digest('hex')}`
}

/** POSTs JSON with `Idempotency-Key` and `Muster-Signature`. 2xx is success, 410 and other refusals by 4xx end it. */
export const webhookChannel: Channel = async (delivery, host, signal) => {
  const settings = delivery.settings as { secretFile?: string } | null
  const { facts, firstLine, text } = delivery.page
  const body = JSON.stringify({ schema: 'muster.sev.page/1', key: delivery.key, attempt: delivery.attempt, ...facts, firstLine, text })
  try {
    const secret = settings?.secretFile === undefined ? await webhookSecret(host.paths) : await secretFrom(settings.secretFile)
    const response = await fetch(delivery.address, {
      method: 'POST',
      redirect: 'manual',
      signal,
      headers: {
        'content-type': 'application/json',
        'user-agent': 'muster-sev',
        'idempotency-key': delivery.key,
        'muster-signature': signatureOf(secret, body, Math.floor(Date.now() / 1000)),
      },
      body,
    })
    await response.arrayBuffer()
    const { status } = response
    if (status >= 200 && status < 300) return sent(`HTTP ${status}`)
    // 408, 425 and 429 ask for another try; what else the receiver refuses it will refuse again.
    const isPermanent = status >= 300 && status < 500 && ![408, 425, 429].includes(status)
    return failed(`HTTP ${status}`, isPermanent)
  } catch (error) {
    return failed(reasonOf(error))
  }
}
