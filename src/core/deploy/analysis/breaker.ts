/** The absolute fast path: a few counts of the last seconds, no statistics, no query. */

/** Length of the sliding window. */
export const BREAKER_WINDOW_MS = 5000
const UNITS_MIN = 20
const FAILING_MIN = 10
const TIMES_WORSE = 10
const AVAILABILITY_MIN = 0.95
const UNHEALTHY_SHARE = 0.25
const UNHEALTHY_FOR_MS = 10_000
const RESTARTS_MAX = 2

export interface BreakerView {
  /** requests of the last 5 s */
  canary: { units: number; failing: number }
  control: { units: number; failing: number }
  /** the control's failure rate of the last hour, or of the step before when there is no control any more */
  usualRate: number
  tasks: { wanted: number; unhealthy: number; unhealthyForMs: number; restartsLastMinute: number }
}

export interface Trip {
  rule: 'failing' | 'availability' | 'unhealthy' | 'restarts'
  text: string
}

const rate = (arm: { units: number; failing: number }): number => (arm.units === 0 ? 0 : arm.failing / arm.units)
const percent = (part: number): string => `${Number((part * 100).toFixed(1))} %`

/** The rule that trips now, or null. */
export function breakerTrip(view: BreakerView): Trip | null {
  const { canary, control, tasks } = view
  const usual = Math.max(rate(control), view.usualRate)
  if (canary.units >= UNITS_MIN && canary.failing >= FAILING_MIN) {
    const seen = `${canary.failing} of ${canary.units} canary requests failed in 5 s (${percent(rate(canary))})`
    if (rate(canary) >= TIMES_WORSE * usual) return { rule: 'failing', text: `${seen}, the control ${percent(usual)}` }
    if (1 - rate(canary) < AVAILABILITY_MIN && 1 - usual >= AVAILABILITY_MIN) {
      return { rule: 'availability', text: `${seen}: below 95 % while the control is above` }
    }
  }
  if (tasks.restartsLastMinute >= RESTARTS_MAX) {
    return { rule: 'restarts', text: `canary tasks restarted ${tasks.restartsLastMinute} times in 60 s` }
  }
  if (tasks.unhealthy > UNHEALTHY_SHARE * tasks.wanted && tasks.unhealthyForMs >= UNHEALTHY_FOR_MS) {
    return { rule: 'unhealthy', text: `${tasks.unhealthy} of ${tasks.wanted} canary tasks unhealthy for 10 s` }
  }
  return null
}
