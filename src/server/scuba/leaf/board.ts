import { createHash } from 'node:crypto'
import { refuse, type MusterError } from '../../../core/kernel/errors.ts'
import { lookEveryMs } from '../../../core/scuba/plan/range.ts'
import { boardRequestSchema } from '../../../core/scuba/schema.ts'
import type { PanelAnswer } from '../../../core/scuba/wire-types.ts'
import type { CachedAnswer } from './answer-cache.ts'
import { deadlineOf } from './answering.ts'
import { cachedPanel } from './ask-panel.ts'
import { BoardPanels, isFailed, type KeptPanel, type Shown } from './board-panels.ts'
import type { Engines } from './engines.ts'
import { GzipPart, gzipOf } from './gzip-parts.ts'
import { parse, parseJson } from './http-body.ts'
import type { Store } from './store.ts'

/** An answer this old still goes out, while a newer one is made for who asks next. */
const STALE_MS = 10_000
/** For one that is older, a newer one is waited for so long; then it goes out all the same, up to the greatest age. */
const PATIENCE_MS = 100
const STALE_MS_MAX = 120_000
/** Whose questions they are: each is many people's. */
const BOARDS = { user: 'boards', isUrgent: false }

export interface BoardBytes {
  /** the whole answer as JSON, and as a gzip stream */
  parts: readonly Buffer[]
  bytes: number
  gzip: () => readonly Buffer[]
  etag: string
}

interface Panel {
  kept: KeptPanel
  /** how old its answer may be before a newer one is looked for */
  everyMs: number
  isFull: boolean
}

interface Board {
  panels: readonly Panel[]
  waitMs: number
  /** the last answer and what it is made of */
  made: { of: readonly (Shown | MusterError)[]; bytes: BoardBytes } | null
}

const BOARDS_MAX = 5000

/**
 * Many panels in one answer, as bytes: boards are refreshed again and again by everybody who has one open, so what is known of each panel
 * goes out as it is, and a panel that is due is looked at anew behind the answer.
 */
export class Boards {
  readonly #engines: Engines
  readonly #panels: BoardPanels
  /** by the text of its request; the ones not asked for longest go first */
  readonly #boards = new Map<string, Board>()
  #generation = 0

  constructor(store: Store, engines: Engines) {
    this.#engines = engines
    this.#panels = new BoardPanels({
      ask: async (request, signal) => {
        const shown = shownOf((await cachedPanel(store, engines, request, signal, BOARDS)).known)
        await gzipPart(shown.json).deflate()
        return shown
      },
      engines: engines.all.length,
      onLeft: (left) => {
        for (const [text, { panels }] of this.#boards) if (panels.some(({ kept }) => left.has(kept))) this.#boards.delete(text)
      },
    })
  }

  /**
   * @param text the request's JSON
   * @returns the answer and how long ago the oldest of its panels was known to be the newest, ms
   */
  async answer(text: string, signal: AbortSignal): Promise<{ board: BoardBytes; ageMs: number }> {
    this.#forget()
    const board = this.#board(text)
    const now = Date.now()
    const waits = board.panels.flatMap(({ kept, everyMs }) => {
      this.#panels.use(kept, now)
      const ageMs = kept.shown === null ? Infinity : now - kept.lookedAtMs
      if (ageMs > Math.max(STALE_MS, everyMs * 2)) {
        // Where others lost patience already nobody else waits: engines that are behind must not hold up everybody.
        const leftMs = PATIENCE_MS - (kept.look === null ? 0 : now - kept.look.askedForMs)
        if (ageMs <= STALE_MS_MAX && leftMs <= 0) return []
        return [this.#panels.await(kept, ageMs > STALE_MS_MAX ? board.waitMs : leftMs, signal)]
      }
      if (ageMs > everyMs) this.#panels.renew(kept)
      return []
    })
    if (waits.length > 0) await Promise.all(waits)
    const answeredMs = Date.now()
    const of = board.panels.map((panel) => outcome(panel, now, answeredMs))
    if (!board.made?.of.every((one, at) => one === of[at])) board.made = { of, bytes: assemble(of) }
    const ageMs = board.panels.reduce((most, { kept }) => (kept.shown === null ? most : Math.max(most, answeredMs - kept.lookedAtMs)), 0)
    return { board: board.made.bytes, ageMs }
  }

  /** The same board is asked for again and again with the same words: they are read once. */
  #board(text: string): Board {
    const known = this.#boards.get(text)
    if (known) {
      this.#boards.delete(text)
      this.#boards.set(text, known)
      return known
    }
    const { panels, maxAgeMs, deadlineMs } = parse(boardRequestSchema, parseJson(text))
    const made: Board = {
      panels: panels.map((panel) => ({
        kept: this.#panels.of(panel),
        everyMs: panel.maxAgeMs ?? maxAgeMs ?? lookEveryMs(panel),
        isFull: panel.require === 'full',
      })),
      waitMs: deadlineOf({ deadlineMs }),
      made: null,
    }
    if (this.#boards.size >= BOARDS_MAX) this.#boards.delete(this.#boards.keys().next().value ?? '')
    this.#boards.set(text, made)
    return made
  }

  /** Rows were erased, or a table was dropped: nothing of it is shown again. */
  #forget(): void {
    if (this.#generation === this.#engines.answers.generation) return
    this.#generation = this.#engines.answers.generation
    this.#panels.clear()
    this.#boards.clear()
  }
}

const shownOf = ({ json, etag, answer }: CachedAnswer<PanelAnswer>): Shown => ({
  json,
  etag,
  coverage: answer.coverage,
})

/**
 * What a board says of a panel.
 * @param askedMs when the board was asked for: what failed since then is why, however long the other panels took
 */
export function outcome({ kept, isFull }: Panel, askedMs: number, nowMs: number): Shown | MusterError {
  const { shown, failure, lookedAtMs } = kept
  if (shown === null || nowMs - lookedAtMs > STALE_MS_MAX) return isFailed(kept, askedMs) && failure ? failure : LATE
  const { rows, missing } = shown.coverage
  return isFull && rows < 1 ? refuse('SCUBA_PARTIAL', `not all rows could be read: ${missing.join('; ')}`) : shown
}

const LATE = refuse('SCUBA_DEADLINE', 'the panel was not answered in its time')

const BEGIN = new GzipPart(Buffer.from('{"panels":['))
const END = new GzipPart(Buffer.from(']}'))
const OK = new GzipPart(Buffer.from('{"ok":true,"answer":'))
const CLOSE = new GzipPart(Buffer.from('}'))
const NEXT = new GzipPart(Buffer.from(','))

/** Each answer is compressed once, however many boards show it. */
const gzipParts = new WeakMap<Buffer, GzipPart>()

function gzipPart(json: Buffer): GzipPart {
  const known = gzipParts.get(json)
  if (known) return known
  const made = new GzipPart(json)
  gzipParts.set(json, made)
  return made
}

function assemble(of: readonly (Shown | MusterError)[]): BoardBytes {
  const parts = [BEGIN]
  const tags = createHash('sha1')
  of.forEach((one, at) => {
    if (at > 0) parts.push(NEXT)
    if ('json' in one) {
      parts.push(OK, gzipPart(one.json), CLOSE)
      tags.update(one.etag)
    } else {
      const { code, message, hint, exit } = one
      const text = JSON.stringify({ ok: false, error: { code, message, hint, exit } })
      parts.push(new GzipPart(Buffer.from(text)))
      tags.update(text)
    }
  })
  parts.push(END)
  let gzip: readonly Buffer[] | null = null
  return {
    parts: parts.map(({ plain }) => plain),
    bytes: parts.reduce((sum, { plain }) => sum + plain.length, 0),
    gzip: () => (gzip ??= gzipOf(parts)),
    etag: `"${tags.digest('base64url')}"`,
  }
}
