import { expect, test } from 'vitest'
import { samplesOf } from '../../../src/cli/delos/prometheus.ts'
import { controlSystems } from '../../../src/core/systems.ts'
import { expositionText } from '../../../src/server/metrics/exposition.ts'
import { Measures } from '../../../src/server/metrics/measures.ts'
import { newState } from '../../support/state.ts'

test('the text says how often each operation was asked, how it ended and how long it took, as buckets that only grow', () => {
  const measures = new Measures()
  const state = newState(controlSystems)
  measures.operation({ operation: 'tw.job.run', ms: 3, code: '' })
  measures.operation({ operation: 'tw.job.run', ms: 40, code: '' })
  measures.operation({ operation: 'tw.job.run', ms: 1, code: 'PLAN_STALE' })
  measures.work({ name: 'controller.cycle', target: 'tw.reconcile', value: 2, ok: false, entries: 0 })
  measures.work({ name: 'effect.run', target: 'sev.page "x"', value: 2, ok: true, entries: 1 })
  const text = expositionText({
    ...{
      measures,
      db: state.db,
      position: 8,
      isLeading: true,
      tables: null,
      byCopy: { asked: 3, answered: 2 },
      telemetry: { sent: 5, dropped: 1, waiting: 2 },
    },
  })
  measures.stop()
  const samples = samplesOf(text)
  expect(samples.get('muster_operations_total{operation="tw.job.run",outcome="OK"}')).toBe(2)
  expect(samples.get('muster_operations_total{operation="tw.job.run",outcome="PLAN_STALE"}')).toBe(1)
  expect(samples.get('muster_controller_cycles_total{controller="tw.reconcile",outcome="failed"}')).toBe(1)
  expect(samples.get(String.raw`muster_effects_total{kind="sev.page \"x\"",outcome="OK"}`)).toBe(1)
  expect(samples.get('muster_log_entries_total')).toBe(7)
  expect(samples.get('muster_scuba_up'), 'a leaf that does not answer is said to be down').toBe(0)
  const buckets = [...samples].filter(([key]) => key.startsWith('muster_operation_duration_seconds_bucket')).map(([, value]) => value)
  expect(buckets.at(-1)).toBe(3)
  expect(buckets).toEqual(buckets.toSorted((a, b) => a - b))
  for (const name of text.match(/^[a-z_]+(?=[{ ])/gm) ?? [])
    expect(text, name).toContain(`# TYPE ${name.replace(/_(bucket|sum|count)$/, '')} `)
})
