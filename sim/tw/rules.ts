/** What the simulated parts of server and agent keep to, as the real ones do; a planted defect breaks one. */
export interface Rules {
  /** the log takes nothing of a leader that another has replaced */
  isFenced: boolean
  /** an agent that starts takes over what its journal speaks of */
  adopts: boolean
  /** an agent obeys no leader that was replaced, once it obeyed a later one */
  refusesReplaced: boolean
  /** what orders no longer name is ended */
  endsUnknown: boolean
  /** a stop that comes while a restart waits for the old process is the last word */
  stopOutdatesRestart: boolean
  /** a report that is older than another, or doubled, is none */
  knowsLateReports: boolean
  /** agents are told of tasks that are to end */
  tellsStops: boolean
  /** what a server keeps beside the state follows what agents report */
  cacheSeesReports: boolean
}

export const RULES: Rules = {
  isFenced: true,
  adopts: true,
  refusesReplaced: true,
  endsUnknown: true,
  stopOutdatesRestart: true,
  knowsLateReports: true,
  tellsStops: true,
  cacheSeesReports: true,
}
