import { createHash } from 'node:crypto'
import { MusterError, refuse } from '../../../core/kernel/errors.ts'
import { boardRequestSchema } from '../../../core/scuba/schema.ts'
import type { BoardRequest, PanelAnswer, PanelRequest } from '../../../core/scuba/wire-types.ts'
import type { CachedAnswer } from './answer-cache.ts'
import { cachedPanel, panelKey } from './ask-panel.ts'
import { parse, parseJson } from './http-body.ts'
import type { Engines } from './engines.ts'
import type { Asker } from './slots.ts'
import type { Store } from './store.ts'

/** An answer this old still goes out, while a newer one is made for who asks next. */
const STALE_MS = 10_000
const MAX_AGE_MS = 1000

export interface BoardBytes {
  /** the whole answer as JSON */
  parts: Buffer[]
  bytes: number
  etag: string
}

interface Held {
  answers: readonly CachedAnswer<PanelAnswer>[]
  board: BoardBytes
}

const BOARDS_MAX = 5000

/**
 * Many panels in one answer, as bytes: boards are refreshed again and again by everybody who has one open, so what is known
 * of each panel goes out as it is. A panel that is not the newest any more is asked anew behind the answer.
 */
export class Boards {
  readonly #store: Store
  readonly #engines: Engines
  /** text of a request → its last answer, as long as it is made of the same ones */
  readonly #held = new Map<string, Held>()
  readonly #requests = new Map<string, BoardRequest>()

  constructor(store: Store, engines: Engines) {
    this.#store = store
    this.#engines = engines
  }

  /** @param text the request's JSON */
  async answer(text: string, signal: AbortSignal, asker: Asker): Promise<BoardBytes> {
    const request = this.#request(text)
    const maxAgeMs = request.maxAgeMs ?? MAX_AGE_MS
    const answers = await Promise.all(
      request.panels.map((panel) =>
        this.#panel({ maxAgeMs, ...(request.deadlineMs === undefined ? {} : { deadlineMs: request.deadlineMs }), ...panel }, signal, asker),
      ),
    )
    const known = answers.flatMap((answer) => (answer instanceof MusterError ? [] : [answer]))
    const held = this.#held.get(text)
    if (known.length === answers.length && held && held.answers.every((answer, at) => answer === known[at])) return held.board
    const board = assemble(answers)
    if (known.length === answers.length) {
      this.#held.delete(text)
      this.#held.set(text, { answers: known, board })
      if (this.#held.size > BOARDS_MAX) this.#held.delete(this.#held.keys().next().value ?? '')
    }
    return board
  }

  /** The same board is asked for again and again with the same words: they are read once. */
  #request(text: string): BoardRequest {
    const known = this.#requests.get(text)
    if (known) return known
    const request = parse(boardRequestSchema, parseJson(text))
    if (this.#requests.size >= BOARDS_MAX) this.#requests.delete(this.#requests.keys().next().value ?? '')
    this.#requests.set(text, request)
    return request
  }

  async #panel(request: PanelRequest, signal: AbortSignal, asker: Asker): Promise<CachedAnswer<PanelAnswer> | MusterError> {
    try {
      const now = Date.now()
      const known = this.#engines.answers.get<PanelAnswer>(panelKey(request, now))
      if (!known) return await this.#fresh(request, signal, asker)
      const ageMs = now - known.atMs
      if (ageMs > STALE_MS && (request.maxAgeMs ?? 0) < ageMs) return await this.#fresh(request, signal, asker)
      this.#engines.answers.hits += 1
      // Nobody waits for this one; should it fail, the next who asks past the stale time hears why.
      if (ageMs > (request.maxAgeMs ?? 0)) void this.#fresh(request, undefined, asker).catch(() => undefined)
      return checked(known, request)
    } catch (error) {
      if (error instanceof MusterError) return error
      return refuse('INTERNAL', (error as Error).message, { cause: error })
    }
  }

  async #fresh(request: PanelRequest, signal: AbortSignal | undefined, asker: Asker): Promise<CachedAnswer<PanelAnswer> | MusterError> {
    return checked((await cachedPanel(this.#store, this.#engines, request, signal, asker)).known, request)
  }
}

function checked(known: CachedAnswer<PanelAnswer>, { require }: PanelRequest): CachedAnswer<PanelAnswer> | MusterError {
  const { rows, missing } = known.answer.coverage
  return require === 'full' && rows < 1 ? refuse('SCUBA_PARTIAL', `not all rows could be read: ${missing.join('; ')}`) : known
}

const BEGIN = Buffer.from('{"panels":[')
const END = Buffer.from(']}')
const OK = Buffer.from('{"ok":true,"answer":')
const CLOSE = Buffer.from('}')
const NEXT = Buffer.from(',')

function assemble(answers: readonly (CachedAnswer<PanelAnswer> | MusterError)[]): BoardBytes {
  const parts: Buffer[] = [BEGIN]
  const tags = createHash('sha1')
  answers.forEach((answer, at) => {
    if (at > 0) parts.push(NEXT)
    if (answer instanceof MusterError) {
      const { code, message, hint, exit } = answer
      const text = JSON.stringify({ ok: false, error: { code, message, hint, exit } })
      parts.push(Buffer.from(text))
      tags.update(text)
    } else {
      parts.push(OK, answer.json, CLOSE)
      tags.update(answer.etag)
    }
  })
  parts.push(END)
  return { parts, bytes: parts.reduce((sum, { length }) => sum + length, 0), etag: `"${tags.digest('base64url')}"` }
}
