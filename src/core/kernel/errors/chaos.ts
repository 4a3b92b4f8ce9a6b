import { defineErrors } from './define.ts'

export const CHAOS_ERRORS = defineErrors({
  CHAOS_SPEC: { exit: 2, what: 'The experiment file is not valid.', hint: 'See the path and line in the message.' },
  CHAOS_NO_TARGET: { exit: 5, what: 'No running task matches the target.', hint: 'Check labels with `muster tw ps`.' },
  CHAOS_RADIUS: { exit: 5, what: 'The blast radius is over the cap.', hint: 'Lower the share or the number of tasks.' },
  CHAOS_GATE: { exit: 4, what: 'A gate refuses the run.', hint: 'The message lists every failing gate.' },
  CHAOS_ENVIRONMENT: {
    exit: 4,
    what: 'The experiment is for another environment.',
    hint: "Set muster.environment to the context's environment.",
  },
  CHAOS_HALTED: { exit: 4, what: 'Chaos is halted.', hint: 'Clear it with `muster chaos resume --confirm chaos`.' },
  CHAOS_RUN_UNKNOWN: { exit: 3, what: 'No such run.', hint: 'List runs with `muster chaos active --all`.' },
  CHAOS_LOCKED: { exit: 5, what: 'Another run holds one of the targets.', hint: 'Wait for it, or stop it with `muster chaos stop RUN`.' },
  CHAOS_GUARD_BLIND: {
    exit: 5,
    what: 'A guard has no data, so the run may not start.',
    hint: 'Send traffic to the service, or name another guard.',
  },
})
