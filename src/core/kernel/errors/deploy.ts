import { defineErrors } from './define.ts'

export const DEPLOY_ERRORS = defineErrors({
  DEPLOY_SERVICE_UNKNOWN: { exit: 3, what: 'No job of that name to deploy.', hint: 'Run one first with `muster tw job run FILE`.' },
  DEPLOY_ROLLOUT_UNKNOWN: { exit: 3, what: 'No such rollout.', hint: 'List them with `muster deploy status`.' },
  DEPLOY_BUSY: {
    exit: 5,
    what: 'A rollout of this service is in flight.',
    hint: 'Watch it with `muster deploy watch`, or end it with `muster deploy abort`.',
  },
  DEPLOY_STATE: {
    exit: 5,
    what: 'The rollout is not in a state that allows this.',
    hint: 'See `muster deploy status` for the legal commands.',
  },
  DEPLOY_HALTED: {
    exit: 4,
    what: 'Rollouts are halted.',
    hint: 'See who and why with `muster deploy status`; clear with `muster deploy unhalt`.',
  },
  DEPLOY_SEV_OPEN: {
    exit: 4,
    what: 'A SEV1 or SEV2 is open on the service, so nothing new goes out.',
    hint: 'Resolve it with `muster sev resolve`, or ship the cure with --profile hotfix --reason TEXT.',
  },
  DEPLOY_BUDGET_SPENT: {
    exit: 4,
    what: 'An error budget of the service is spent or burns at a rate that pages, so nothing new goes out.',
    hint: 'See `muster scuba slo show SERVICE`; ship the cure with --profile hotfix --reason TEXT.',
  },
  DEPLOY_KNOWN_BAD: { exit: 4, what: 'This release was rolled back before.', hint: 'Ship a fixed release.' },
  DEPLOY_RELEASE_UNKNOWN: { exit: 3, what: 'No such release.', hint: 'List them with `muster deploy history SERVICE`.' },
  DEPLOY_PROFILE_INVALID: {
    exit: 2,
    what: 'The rollout profile is not valid.',
    hint: 'Shares must grow from step to step and end at 100 %.',
  },
  DEPLOY_SOURCE_INVALID: {
    exit: 2,
    what: 'The path is neither a directory, an archive nor a job file.',
    hint: 'Name one of these with --release.',
  },
  DEPLOY_NO_TARGET: { exit: 5, what: 'There is no earlier good release to go back to.', hint: 'See `muster deploy history SERVICE`.' },
})
