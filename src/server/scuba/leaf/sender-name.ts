import type { IncomingHttpHeaders } from 'node:http'

/** Head of rows that one leaf sends another: who sent them first. */
export const SENDER_HEAD = 'x-muster-sender'

/** Who sent rows, as far as anything says so: the caller's name on the server's API, or the way in. */
export function nameOfSender(headers: IncomingHttpHeaders, otherwise = 'socket'): string {
  const head = headers[SENDER_HEAD] ?? headers['x-muster-user']
  return typeof head === 'string' && head !== '' ? decodeURIComponent(head).slice(0, 200) : otherwise
}

export const senderHead = (name: string): Record<string, string> => ({ [SENDER_HEAD]: encodeURIComponent(name) })
