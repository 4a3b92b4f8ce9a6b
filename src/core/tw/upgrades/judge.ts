/** What came of one agent that was told to start anew. */
export type Outcome = { kind: 'waits' } | { kind: 'back' } | { kind: 'failed'; why: string }

export interface AgentSeen {
  node: string
  /** of the agent before, and as the state has it now */
  pidBefore: number
  pidNow: number
  /** as it says itself */
  version: string | null
  folder: string | null
  isLost: boolean
  /** of tasks that ran before: pid then, and now; null: no longer there */
  tasks: readonly { task: string; before: number; now: number | null; hasEnded: boolean }[]
}

/** An agent that is not back within so long is taken for one that will not come. */
export const BACK_MS = 30_000

/** Whether an agent is back as it has to be: another process, of the right version, with every process of its tasks as it was. */
export function judgeAgent(seen: AgentSeen, wanted: { version: string | null; folder: string | null }, sinceMs: number): Outcome {
  if (seen.isLost) return { kind: 'failed', why: `${seen.node} is lost` }
  if (seen.pidNow === seen.pidBefore)
    return sinceMs < BACK_MS ? { kind: 'waits' } : { kind: 'failed', why: `${seen.node} is not back after ${BACK_MS / 1000} s` }
  const changed = seen.tasks.find(({ before, now, hasEnded }) => !hasEnded && now !== before)
  // Its first report may know less than its second.
  if (changed !== undefined && sinceMs < BACK_MS && changed.now === null) return { kind: 'waits' }
  if (changed !== undefined) return { kind: 'failed', why: `${changed.task} on ${seen.node} is another process now` }
  if (wanted.version !== null && seen.version !== wanted.version)
    return { kind: 'failed', why: `the agent of ${seen.node} is of version ${seen.version ?? 'unknown'}, not ${wanted.version}` }
  // It went back by itself.
  if (wanted.folder !== null && seen.folder !== wanted.folder)
    return { kind: 'failed', why: `the agent of ${seen.node} did not come up from ${wanted.folder}` }
  return { kind: 'back' }
}
