/** What can be broken. Family is the prefix; the class says what ends the fault when nobody acts (README, undo classes). */
export interface FaultKind {
  fault: 'legion.kill' | 'legion.pause' | 'legion.slow' | 'legion.error' | 'legion.drop'
  summary: string
  /** `node`: an agent's driver on chosen tasks; `mesh`: a rule in every proxy, on the users of a service */
  by: 'node' | 'mesh'
  class: '1' | 'P' | 'K'
  undoneBy: string
  arguments: Record<string, string>
}

export const CATALOGUE: readonly FaultKind[] = [
  {
    fault: 'legion.kill',
    summary: 'Send a signal to the process of a task.',
    by: 'node',
    class: '1',
    undoneBy: 'nothing to undo; tw restarts or replaces the task',
    arguments: { signal: 'SIGKILL, or the name of another signal' },
  },
  {
    fault: 'legion.pause',
    summary: 'Stop the process group of a task, and let it go on.',
    by: 'node',
    class: 'P',
    undoneBy: 'the holder process: on order, at its end, or when agent or controller are gone',
    arguments: { duration: 'how long; default: that of the experiment' },
  },
  {
    fault: 'legion.slow',
    summary: 'Delay requests to a service for a share of its users.',
    by: 'mesh',
    class: 'K',
    undoneBy: 'the end time in each proxy, which is renewed only while the guards hold',
    arguments: {
      delay: 'e.g. 200ms',
      jitter: '± this, default 0ms',
      share: 'of users, default 100%',
      method: 'only this method',
      path: 'only paths that begin so',
      duration: 'how long',
    },
  },
  {
    fault: 'legion.error',
    summary: 'Answer requests to a service with an error for a share of its users.',
    by: 'mesh',
    class: 'K',
    undoneBy: 'the end time in each proxy, which is renewed only while the guards hold',
    arguments: {
      status: '400 to 599, default 503',
      share: 'of users, default 100%',
      method: 'only this method',
      path: 'only paths that begin so',
      duration: 'how long',
    },
  },
  {
    fault: 'legion.drop',
    summary: 'Reset the connections of requests to a service for a share of its users.',
    by: 'mesh',
    class: 'K',
    undoneBy: 'the end time in each proxy, which is renewed only while the guards hold',
    arguments: { share: 'of users, default 100%', method: 'only this method', path: 'only paths that begin so', duration: 'how long' },
  },
]
