/** What `muster demo` says of itself: one step after the other, each with what it claims and what was seen. */
export interface DemoStep {
  name: string
  /** what should happen, in a sentence */
  title: string
  state: 'waiting' | 'running' | 'ok' | 'failed' | 'skipped'
  /** ms since the demo began, or null */
  startedAtMs: number | null
  tookMs: number | null
  /** what was seen, for scripts */
  facts: Record<string, string | number | boolean>
  /** what was seen, for people */
  lines: string[]
}

export interface DemoReport {
  /** every step did what it claims */
  ok: boolean
  tookMs: number
  /** requests a second that were sent */
  traffic: number
  profile: string
  stateDir: string
  steps: DemoStep[]
}

export interface DemoView {
  report: DemoReport
  /** answers in the last second, and in all */
  perSecond: number
  answers: number
  errors: number
  /** share of the new version in the last rollout, parts per million, and how it stands */
  share: number
  word: string
  version: string
}
