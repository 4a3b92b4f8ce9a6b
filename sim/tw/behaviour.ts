/** What a simulated process does with its life; a job's document carries it in `env.SIM`. */
export interface Behaviour {
  /** from its start until its readiness check passes, ms; null: never */
  readyMs: number | null
  /** from the stop signal to its end, ms; null: it does not care */
  stopMs: number | null
  /** ends by itself so long after its start */
  end: { afterMs: number; code: number } | null
  /** one start of so many crashes soon, while there are faults; 0: none */
  crashIn: number
}

export const STEADY: Behaviour = { readyMs: 500, stopMs: 300, end: null, crashIn: 0 }

export function behaviourOf(env: Readonly<Record<string, string>>): Behaviour {
  const text = env['SIM']
  return text === undefined ? STEADY : { ...STEADY, ...(JSON.parse(text) as Partial<Behaviour>) }
}
