/** A refusal of the server, or that it is not reached. */
export class ApiError extends Error {
  readonly code: string
  readonly hint: string
  /** what the operation says of it beside: a position in SQL */
  readonly details: unknown

  constructor(code: string, message: string, hint: string, details?: unknown) {
    super(message)
    this.details = details
    this.code = code
    this.hint = hint
  }
}

export interface ApiAnswer<T> {
  data: T
  warnings: string[]
  /** position of the next entry of the control log */
  position: number
}

interface Envelope<T> extends Partial<ApiAnswer<T>> {
  ok: boolean
  error?: { code: string; message: string; hint?: string; details?: unknown }
}

/**
 * Asks an operation, `delos.log.chain`, as everybody does. Rejects with ApiError: the server's own refusal, `SESSION_OVER` where this browser
 * is not let in any more, `SERVER_DOWN` when nobody answers.
 */
export async function ask<T>(operation: string, input: object = {}, signal?: AbortSignal): Promise<ApiAnswer<T>> {
  const response = await reach(`/v1/${operation.replaceAll('.', '/')}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(input),
    ...(signal === undefined ? {} : { signal }),
  })
  return answerOf<T>(response)
}

/** An answer that stands alone, without the envelope of operations, and the tag it was given. */
export interface Tagged<T> {
  answer: T
  tag: string | null
}

/**
 * Asks what passes through from the store: as {@link ask}, but by its path. While the answer is still `before`, that one is given, and nothing is sent.
 */
export async function askTagged<T>(path: string, input: object, before: Tagged<T> | null, signal: AbortSignal): Promise<Tagged<T>> {
  const tag = before?.tag ?? null
  const headers = { 'content-type': 'application/json', ...(tag === null ? {} : { 'if-none-match': tag }) }
  const response = await reach(path, { method: 'POST', headers, body: JSON.stringify(input), signal })
  if (response.status === 304 && before !== null) return before
  if (!response.ok) await answerOf(response)
  return { answer: (await response.json()) as T, tag: response.headers.get('etag') }
}

export async function get<T>(path: string): Promise<ApiAnswer<T>> {
  return answerOf<T>(await reach(path, {}))
}

/** Lines of an answer that goes on, as they come. */
export async function* linesOf(path: string, signal: AbortSignal): AsyncGenerator<string> {
  const response = await reach(path, { signal })
  if (!response.ok) await answerOf(response)
  if (response.body === null) return
  let rest = ''
  for await (const text of response.body.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + text).split('\n')
    rest = lines.pop() ?? ''
    yield* lines
  }
}

async function reach(path: string, init: RequestInit): Promise<Response> {
  try {
    return await fetch(path, init)
  } catch (error) {
    if (init.signal?.aborted) throw error
    throw new ApiError('SERVER_DOWN', 'the server does not answer', 'Is it still there? `muster status` says.')
  }
}

async function answerOf<T>(response: Response): Promise<ApiAnswer<T>> {
  if (response.status === 401) throw new ApiError('SESSION_OVER', 'this browser is not let in any more', 'Run `muster open` again.')
  const body = (await response.json().catch(() => ({ ok: false }))) as Envelope<T>
  if (!body.ok) {
    const { code = 'UNAVAILABLE', message = `the server answered ${response.status}`, hint = '', details } = body.error ?? {}
    throw new ApiError(code, message, hint, details)
  }
  return { data: body.data as T, warnings: body.warnings ?? [], position: body.position ?? 0 }
}
