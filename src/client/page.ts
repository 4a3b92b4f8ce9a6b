import { MusterError } from '../core/kernel/errors.ts'
import { textOf } from '../platform/streams.ts'
import type { Tls } from './post.ts'

const http = (): typeof import('node:http') => process.getBuiltinModule('node:http')
const https = (): typeof import('node:https') => process.getBuiltinModule('node:https')

export interface PageAnswer {
  status: number
  text: string
  /** from asking until the answer began, ms, and this machine's clock when it did */
  tookMs: number
  answeredAt: number
}

/** Reads a page of a server's port, such as `/metrics`. Rejects with UNAVAILABLE when no answer came in time. */
export async function readPage(endpoint: string, path: string, tls: Tls, timeoutMs: number): Promise<PageAnswer> {
  const url = new URL(path, endpoint)
  const sentAt = performance.now()
  const isTls = url.protocol === 'https:'
  try {
    return await new Promise<PageAnswer>((resolve, reject) => {
      const request = (isTls ? https() : http()).get(
        url,
        { ...(isTls ? tls : {}), agent: false, signal: AbortSignal.timeout(timeoutMs) },
        (answer) => {
          const timing = { tookMs: performance.now() - sentAt, answeredAt: Date.now() }
          textOf(answer).then((text) => resolve({ status: answer.statusCode ?? 0, text, ...timing }), reject)
        },
      )
      request.once('error', reject)
    })
  } catch (error) {
    const { name, message, code } = error as NodeJS.ErrnoException
    const why = name === 'TimeoutError' || name === 'AbortError' ? `no answer in ${timeoutMs} ms` : (code ?? message)
    throw new MusterError('UNAVAILABLE', `${url.host}: ${why}`, { cause: error })
  }
}
