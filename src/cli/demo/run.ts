import { tearDown } from '../../server/processes/teardown.ts'
import type { DemoReport, DemoStep, DemoView } from './report.ts'
import { ClaimError, DEMO, DEMO_ACTIONS, type DemoState } from './steps.ts'
import { makeWorld } from './world.ts'

/**
 * Runs the demo: each step calls the operations that the commands call, and claims what it saw. The first claim that
 * does not hold ends it. The fleet is taken down in any case.
 * @param onChange called at each step's start and end, and each quarter of a second between
 */
export async function runDemo(onChange: (view: DemoView, step: DemoStep | null) => void, signal: AbortSignal): Promise<DemoReport> {
  const beganAt = Date.now()
  const steps = DEMO_ACTIONS.map(({ name, title }): DemoStep => ({
    name,
    title,
    state: 'waiting',
    startedAtMs: null,
    tookMs: null,
    facts: {},
    lines: [],
  }))
  const world = await makeWorld()
  const report: DemoReport = {
    ok: false,
    tookMs: 0,
    traffic: DEMO.requestsPerSecond,
    profile: DEMO.profile,
    stateDir: world.paths.root,
    steps,
  }
  const view: DemoView = { report, perSecond: 0, answers: 0, errors: 0, share: 0, word: '', version: '1' }
  const state: DemoState = { world, view, traffic: null, fleet: null, incident: null }
  const refresh = (step: DemoStep | null): void => {
    report.tookMs = Date.now() - beganAt
    const total = state.traffic?.total
    Object.assign(view, {
      perSecond: state.traffic?.perSecond() ?? 0,
      answers: (total?.ok ?? 0) + (total?.serverErrors ?? 0),
      errors: (total?.serverErrors ?? 0) + (total?.broken ?? 0),
    })
    onChange(view, step)
  }
  const ticker = setInterval(() => refresh(null), 250)
  let isOver = false
  try {
    for (const [i, action] of DEMO_ACTIONS.entries()) {
      const step = steps[i] as DemoStep
      // What is left undone is still taken down, by the last step.
      if (isOver && action.name !== 'down') {
        step.state = 'skipped'
        continue
      }
      step.state = 'running'
      step.startedAtMs = Date.now() - beganAt
      refresh(step)
      try {
        await Promise.race([action.run(state, step), aborted(action.name === 'down' ? null : signal)])
        step.state = 'ok'
      } catch (error) {
        isOver = true
        step.state = 'failed'
        step.lines.push(error instanceof ClaimError ? error.message : String((error as Error).message ?? error))
      }
      step.tookMs = Date.now() - beganAt - step.startedAtMs
      refresh(step)
    }
  } finally {
    clearInterval(ticker)
    await state.traffic?.stop()
    if (steps.at(-1)?.state !== 'ok') await tearDown(world.paths).catch(() => {})
  }
  report.ok = steps.every((step) => step.state === 'ok')
  report.tookMs = Date.now() - beganAt
  return report
}

function aborted(signal: AbortSignal | null): Promise<never> {
  return new Promise((_resolve, reject) => {
    if (signal?.aborted) reject(new ClaimError('interrupted'))
    signal?.addEventListener('abort', () => reject(new ClaimError('interrupted')), { once: true })
  })
}
