import type { z } from 'zod'
import type { scubaRetentionShow } from '../../../core/scuba/operations/retention.ts'
import type { RetentionSegment, RetentionStep } from '../../../core/scuba/retention/plan.ts'
import type { Retainer } from './retainer.ts'
import type { Store } from './store.ts'

const sum = (segments: readonly RetentionSegment[], of: 'rows' | 'bytes'): number => segments.reduce((total, each) => total + each[of], 0)

const WHATS = ['dropped by age', 'dropped by space', 'thinned'] as const
const whatOf = (step: RetentionStep): (typeof WHATS)[number] => (step.do === 'thin' ? 'thinned' : `dropped by ${step.reason}`)

/** How long a table, or each, is kept, and what would go now. */
export function showRetention(store: Store, retainer: Retainer, table?: string): z.input<typeof scubaRetentionShow.output> {
  const names = table === undefined ? [...store.tableNames()].sort() : [store.tail(table).name]
  const tables = names.map((name) => {
    const { steps, held, nextMs } = retainer.plan(name)
    const segments = store.segments(name)
    const going = WHATS.flatMap((what) => {
      const these = steps.filter((step) => whatOf(step) === what)
      const files = these.map(({ segment }) => segment)
      // What a thinning takes is known only afterwards; about so much.
      const share = these.map((step) => (step.do === 'thin' ? 1 - (step.segment.thinned ?? 1) / step.to : 1))
      const estimate = (of: 'rows' | 'bytes'): number =>
        Math.round(files.reduce((total, each, index) => total + each[of] * (share[index] ?? 1), 0))
      if (files.length === 0) return []
      const untilMs = Math.floor(Math.max(...files.map(({ maxUs }) => maxUs)) / 1000)
      return [{ what, segments: files.length, rows: estimate('rows'), bytes: estimate('bytes'), untilMs }]
    })
    return {
      ...{ table: name, policy: store.policy(name), segments: segments.length, rows: sum(segments, 'rows'), bytes: sum(segments, 'bytes') },
      ...{ going, nextMs, held: { segments: held.length, rows: sum(held, 'rows') } },
    }
  })
  return { nowMs: retainer.now(), tables }
}
