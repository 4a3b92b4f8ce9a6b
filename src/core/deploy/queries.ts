/** Read side of deploy: what the other systems and the server may look at. */
export { haltOf, inFlightOf, lastRolloutOf, profileOf, releaseRow, releasesOf, rolloutRow, rolloutsInFlight, type ReleaseRow, type RolloutRow } from './rows.ts'
export { findRollout } from './operations/steer.ts'
export { rolloutView, type RolloutView } from './views/rollout.ts'
export { whyView, type WhyView } from './views/why.ts'
export { watchView, type WatchView } from './views/watch.ts'
export { historyView, type HistoryView } from './views/history.ts'
export { PROFILES, profileFileSchema, type Profile } from './profile.ts'
export type { Evidence } from './evidence.ts'
