/** Answers the proxy makes itself: status, and what a person reads. The reason also goes into `x-muster-reason`. */
const TEXTS: Record<string, string> = {
  'no-route': 'no service of that name here',
  'no-endpoint': 'the service has no task to answer now',
  overflow: 'too many requests run already',
  timeout: 'no answer in the time allowed',
  'connect-failed': 'no task of the service could be reached',
  reset: 'the task ended the connection before it answered',
  'retry-budget': 'the task failed and the budget for retries is spent',
  fault: 'a chaos experiment made this answer',
  draining: 'this proxy is stopping',
  'bad-request': 'the request is not valid HTTP/1.1',
  'bad-response': 'the task answered something that is not valid HTTP/1.1',
}

const STATUS_TEXTS: Record<number, string> = {
  400: 'Bad Request',
  404: 'Not Found',
  405: 'Method Not Allowed',
  408: 'Request Timeout',
  417: 'Expectation Failed',
  429: 'Too Many Requests',
  431: 'Request Header Fields Too Large',
  500: 'Internal Server Error',
  501: 'Not Implemented',
  502: 'Bad Gateway',
  503: 'Service Unavailable',
  504: 'Gateway Timeout',
  505: 'HTTP Version Not Supported',
}

/** A whole answer in HTTP/1.1, as text in Latin-1. */
export function ownAnswer(options: {
  status: number
  reason: string
  detail?: string
  method: string
  keepsAlive: boolean
  requestId?: string
}): string {
  const { status, reason, detail, method, keepsAlive, requestId } = options
  const text = `muster mesh: ${reason}: ${detail ?? TEXTS[reason] ?? 'refused'}\n`
  return (
    `HTTP/1.1 ${status} ${STATUS_TEXTS[status] ?? 'Error'}\r\n` +
    `content-type: text/plain; charset=utf-8\r\ncontent-length: ${text.length}\r\nx-muster-reason: ${reason}\r\n` +
    (requestId === undefined ? '' : `x-request-id: ${requestId}\r\n`) +
    `connection: ${keepsAlive ? 'keep-alive' : 'close'}\r\n\r\n` +
    (method === 'HEAD' ? '' : text)
  )
}
