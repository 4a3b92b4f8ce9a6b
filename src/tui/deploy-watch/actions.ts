import type { WatchView } from '../../core/deploy/queries.ts'

/** What a key does: the same operation as the command, whose line is shown to copy. */
export interface Action {
  key: string
  verb: 'pause' | 'resume' | 'promote' | 'abort' | 'rollback'
  about: string
  question: (view: WatchView) => string
  command: (view: WatchView) => string
  input: (view: WatchView) => Record<string, unknown>
}

function action(
  key: string,
  verb: Action['verb'],
  about: string,
  question: (view: WatchView) => string,
  target: 'rollout' | 'service' = 'rollout',
): Action {
  const needsYes = verb === 'pause' || verb === 'resume' ? '' : ' --yes'
  return {
    key,
    verb,
    about,
    question,
    command: (view) => `muster deploy ${verb} ${view.rollout[target]}${needsYes}`,
    input: (view) => ({ [target]: view.rollout[target], reason: 'from deploy watch' }),
  }
}

export const ACTIONS = {
  pause: action(
    'p',
    'pause',
    'pause at the present share; p again resumes',
    (view) => `Hold ${view.rollout.service} at its present share?`,
  ),
  resume: action('p', 'resume', 'resume a held rollout', (view) => `Let ${view.rollout.service} go on?`),
  promote: action('P', 'promote', 'promote: skip the remaining wait of this step', () => 'Skip the remaining wait of this step?'),
  abort: action('a', 'abort', 'abort: back to the old release at once', (view) => `Send ${view.rollout.release} home?`),
  rollback: action(
    'r',
    'rollback',
    'roll back and mark the release bad',
    (view) => `Roll ${view.rollout.service} back and mark ${view.rollout.release} bad?`,
    'service',
  ),
} as const satisfies Record<string, Action>

/** The action of a key for what is shown; null: the key has none. */
export function actionOf(key: string, view: WatchView | null): Action | null {
  if (key === 'p') return view?.rollout.state === 'held' ? ACTIONS.resume : ACTIONS.pause
  return Object.values(ACTIONS).find((one) => one.key === key) ?? null
}
