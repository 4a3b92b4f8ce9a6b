import { defineErrors } from './define.ts'

export const SEV_ERRORS = defineErrors({
  SEV_INCIDENT_UNKNOWN: { exit: 3, what: 'No such incident.', hint: 'List them with `muster sev list`.' },
  SEV_SCHEDULE: {
    exit: 2,
    what: 'The schedule file is not valid.',
    hint: 'See file and line in the message; the old schedule stays in force.',
  },
  SEV_CONFLICT: { exit: 5, what: 'Somebody else changed this first.', hint: 'Look with `muster sev show N`, then retry.' },
  SEV_AMBIGUOUS: { exit: 2, what: 'More than one incident is open; say which.', hint: 'Name the incident number.' },
  SEV_PERSON_UNKNOWN: { exit: 3, what: 'No such person, team, service or policy.', hint: 'See `muster sev oncall`.' },
  SEV_STATE: { exit: 5, what: 'The incident is not in a state that allows this.', hint: 'Look with `muster sev show N`.' },
})
