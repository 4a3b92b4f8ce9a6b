import type { StateCopy } from '../../src/server/state/control-log.ts'

/** The state of a control log that nobody ever wrote to. */
export const NO_STATE: StateCopy = {
  schema: 0,
  applied: () => 0,
  skipped: () => [],
  refusal: () => null,
  distrust: () => null,
  setDistrusted: () => undefined,
  setTrusted: () => undefined,
  isBehind: () => false,
  setBehind: () => undefined,
  isForced: () => false,
  onBehind: () => () => undefined,
  onApplied: () => () => undefined,
  onAnew: () => () => undefined,
  onMark: () => () => undefined,
  install: () => Promise.reject(new Error('there is nothing to replace')),
}
