import { MusterError, refuse } from '../../../core/kernel/errors.ts'
import { LIMITS } from '../../../core/scuba/limits.ts'
import type { PanelRequest } from '../../../core/scuba/wire-types.ts'
import type { CachedAnswer } from './answer-cache.ts'

/** What is shown of a panel: its answer as it goes out, or why there is none. */
export type Shown = Pick<CachedAnswer, 'json' | 'etag'> & { coverage: { rows: number; missing: readonly string[] } }

/** A panel that boards show, whatever moment it is asked at. */
export interface KeptPanel {
  readonly key: string
  readonly request: PanelRequest
  shown: Shown | null
  failure: MusterError | null
  /** when the look began that `shown` was last the newest at, and when `failure` was seen; ms */
  lookedAtMs: number
  failedAtMs: number
  askedAtMs: number
  waiting: number
  /** `untilMs`: as long as somebody waits for it, ms */
  look: { askedForMs: number; untilMs: number; done: Promise<void>; end: () => void; abort: AbortController } | null
}

/** Looks of boards that run at once on an engine; of these, of panels that nobody waits for. They take no more of what alerts and people use. */
const LOOKS_PER_ENGINE = 4
const UNWAITED_PER_ENGINE = 2
/** A panel nobody asked for in this time is not looked at again. */
const LEFT_MS = 30_000
/** An error is told again for so long without another look: a thousand viewers of a panel that fails cost as much as one. */
const FAILURE_MS = 1000

type Ask = (request: PanelRequest, signal: AbortSignal) => Promise<Shown>

interface Options {
  ask: Ask
  engines: number
  /** told of panels that are not kept any more: they are not to be used again */
  onLeft: (panels: ReadonlySet<KeptPanel>) => void
}

/**
 * The panels of all boards, each once: who shows the same panel shares its answer. Looks for newer answers wait in one line, those that
 * somebody waits for before the others, and few run at once, so that any number of viewers costs the engines no more than that.
 */
export class BoardPanels {
  readonly #ask: Ask
  readonly #onLeft: Options['onLeft']
  readonly #looksMax: number
  readonly #unwaitedMax: number
  readonly #panels = new Map<string, KeptPanel>()
  readonly #waited = new Set<KeptPanel>()
  readonly #due = new Set<KeptPanel>()
  #bytes = 0
  #running = 0

  constructor({ ask, engines, onLeft }: Options) {
    this.#ask = ask
    this.#onLeft = onLeft
    this.#looksMax = engines * LOOKS_PER_ENGINE
    this.#unwaitedMax = engines * UNWAITED_PER_ENGINE
  }

  /** The panel of a request; those that ask the same over the same time get the same one. */
  of(request: PanelRequest): KeptPanel {
    const { deadlineMs: _deadline, maxAgeMs: _age, require: _require, ...asked } = request
    const key = JSON.stringify(asked)
    const known = this.#panels.get(key)
    if (known) return known
    const made: KeptPanel = {
      ...{ key, request: asked, shown: null, failure: null, lookedAtMs: 0, failedAtMs: 0, askedAtMs: 0, waiting: 0, look: null },
    }
    this.#panels.set(key, made)
    return made
  }

  /** It is shown now: of what is too much, what was not shown for longest goes first. */
  use(panel: KeptPanel, nowMs: number): void {
    panel.askedAtMs = nowMs
    if (this.#bytes <= LIMITS.boardCacheBytesMax && this.#panels.size <= LIMITS.boardPanelsMax) return
    // Many at once, so that it is rarely done.
    const oldest = [...this.#panels.values()].filter(({ look }) => look === null).sort((a, b) => a.askedAtMs - b.askedAtMs)
    const left = new Set<KeptPanel>()
    for (const one of oldest) {
      if (this.#bytes <= LIMITS.boardCacheBytesMax * 0.9 && this.#panels.size <= LIMITS.boardPanelsMax * 0.9) break
      this.#show(one, null)
      this.#panels.delete(one.key)
      left.add(one)
    }
    this.#onLeft(left)
  }

  /** Forgets all answers. */
  clear(): void {
    for (const panel of this.#panels.values()) this.#show(panel, null)
  }

  /** Looks for a newer answer in its turn, which nobody waits for. */
  renew(panel: KeptPanel): void {
    if (panel.look === null) this.#enter(panel, this.#due, 0)
  }

  /** Looks for a newer answer soon. Resolves when it was looked for, when `waitMs` are over or the asker is gone; never rejects. */
  async await(panel: KeptPanel, waitMs: number, signal: AbortSignal): Promise<void> {
    if (isFailed(panel, Date.now())) return
    const untilMs = Date.now() + waitMs
    const look = panel.look ?? this.#enter(panel, this.#waited, untilMs)
    look.untilMs = Math.max(look.untilMs, untilMs)
    if (this.#due.delete(panel)) {
      this.#waited.add(panel)
      this.#next()
    }
    panel.waiting += 1
    await new Promise<void>((resolve) => {
      const over = (): void => {
        clearTimeout(timer)
        signal.removeEventListener('abort', over)
        resolve()
      }
      const timer = setTimeout(over, waitMs)
      signal.addEventListener('abort', over, { once: true })
      void look.done.then(over)
      if (signal.aborted) over()
    })
    panel.waiting -= 1
    // Whoever only lost patience comes again, and may find it done then.
    if (!signal.aborted || panel.waiting > 0 || panel.shown !== null || panel.look !== look) return
    look.abort.abort()
    if (this.#waited.delete(panel)) this.#over(panel)
  }

  #enter(panel: KeptPanel, line: Set<KeptPanel>, untilMs: number): NonNullable<KeptPanel['look']> {
    let end = (): void => undefined
    const done = new Promise<void>((resolve) => (end = resolve))
    const look = { askedForMs: Date.now(), untilMs, done, end, abort: new AbortController() }
    panel.look = look
    line.add(panel)
    this.#next()
    return look
  }

  #next(): void {
    for (const [line, most] of [
      [this.#waited, this.#looksMax],
      [this.#due, this.#unwaitedMax],
    ] as const) {
      for (const panel of line) {
        if (this.#running >= most) break
        line.delete(panel)
        if (line === this.#due && Date.now() - panel.askedAtMs > LEFT_MS) this.#over(panel)
        else void this.#look(panel)
      }
    }
  }

  async #look(panel: KeptPanel): Promise<void> {
    const beganMs = Date.now()
    this.#running += 1
    try {
      const { untilMs = 0, abort } = panel.look ?? {}
      // Who allows more than others gives it that long; who waits no longer finds it done the next time.
      const deadlineMs = Math.max(LIMITS.deadlineMs, untilMs - beganMs)
      const shown = await this.#ask({ ...panel.request, deadlineMs }, abort?.signal ?? AbortSignal.abort())
      panel.failure = null
      panel.lookedAtMs = beganMs
      this.#show(panel, shown)
    } catch (error) {
      const failure = error instanceof MusterError ? error : refuse('INTERNAL', (error as Error).message, { cause: error })
      panel.failure = failure
      panel.failedAtMs = Date.now()
      // What may go better next time leaves the last answer; what cannot (no such column any more) does not.
      if (!isTransient(failure)) this.#show(panel, null)
    }
    this.#running -= 1
    this.#over(panel)
    this.#next()
  }

  #over(panel: KeptPanel): void {
    panel.look?.end()
    panel.look = null
  }

  #show(panel: KeptPanel, shown: Shown | null): void {
    // The same again: boards made of it stay as they are.
    if (shown !== null && shown.etag === panel.shown?.etag) return
    const isKept = this.#panels.get(panel.key) === panel
    if (isKept) this.#bytes += (shown?.json.length ?? 0) - (panel.shown?.json.length ?? 0)
    panel.shown = shown
  }
}

export const isFailed = ({ failure, failedAtMs }: KeptPanel, nowMs: number): boolean => failure !== null && nowMs - failedAtMs < FAILURE_MS

/** Busy, down, late: another time it may be answered. */
const isTransient = ({ exit }: MusterError): boolean => exit === 6
