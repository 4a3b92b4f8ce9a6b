import { defineErrors } from './define.ts'

export const TW_ERRORS = defineErrors({
  TW_SPEC_INVALID: {
    exit: 2,
    what: 'The job file does not follow the schema.',
    hint: 'See file:line:column in the message; `muster tw init` prints a valid one.',
  },
  TW_JOB_UNKNOWN: { exit: 3, what: 'No job of that name.', hint: 'List jobs with `muster tw job ls`.' },
  TW_TASK_UNKNOWN: { exit: 3, what: 'No task of that name.', hint: 'List tasks with `muster tw ps`.' },
  TW_TASK_ENDED: { exit: 5, what: 'The task has no process any more.', hint: 'List those that run with `muster tw ps`.' },
  TW_NODE_UNKNOWN: { exit: 3, what: 'No node of that name.', hint: 'List nodes with `muster tw node ls`.' },
  TW_NODE_CLAIMED: { exit: 5, what: 'Another agent already uses this node name.', hint: 'Stop the other agent or use another name.' },
  TW_TOKEN_UNKNOWN: {
    exit: 4,
    what: 'The fleet has not given the token that an agent came with.',
    hint: 'Make one with `muster tw node token` in the context of the fleet.',
  },
  TW_TOKEN_EXPIRED: {
    exit: 4,
    what: 'The time of the token that an agent came with is over.',
    hint: 'Make a new one with `muster tw node token`; --ttl says how long it is good for.',
  },
  TW_TOKEN_USED: {
    exit: 4,
    what: 'As many nodes as the token was for have joined by it.',
    hint: 'Make a new one with `muster tw node token`; --uses says for how many nodes.',
  },
  TW_NODE_BUSY: {
    exit: 5,
    what: 'The node still has tasks, or may be given some.',
    hint: 'Drain it first: `muster tw drain NODE --wait`.',
  },
  TW_UPGRADE_RUNS: {
    exit: 5,
    what: 'The agents are being upgraded already.',
    hint: 'Wait for it, or stop it: `muster tw upgrade show`, `muster tw upgrade stop`.',
  },
  TW_PROFILE_UNKNOWN: { exit: 3, what: 'No host profile of that name.', hint: 'List them with `muster tw profile ls`.' },
  TW_PROFILE_INVALID: {
    exit: 2,
    what: 'The file of the host profile does not follow its schema.',
    hint: 'See file:line:column in the message; compare it with templates/host-profiles/latency.yaml.',
  },
  TW_JOB_OWNED: {
    exit: 5,
    what: 'A rollout owns this job now.',
    hint: 'Watch it with `muster deploy watch`, or end it with `muster deploy abort`.',
  },
  TW_JOB_STATE: { exit: 5, what: 'The job is not in a state that allows this.', hint: 'See `muster tw job show NAME`.' },
  TW_PARAMETERS: {
    exit: 2,
    what: 'What the run is given does not fit what the job asks for.',
    hint: 'See its parameters with `muster tw job show NAME`.',
  },
  TW_VERSION_UNKNOWN: { exit: 3, what: 'The job has no such version.', hint: 'List versions with `muster tw job history NAME`.' },
  TW_SERVICE_TAKEN: {
    exit: 5,
    what: 'Another job already offers a service of this name.',
    hint: 'Use another service name; see `muster tw mesh ls`.',
  },
  TW_DRAIN_WONT_FIT: { exit: 5, what: 'What runs on the node does not fit elsewhere.', hint: 'Add a node, scale down, or use --force.' },
  TW_OP_UNKNOWN: { exit: 3, what: 'No planned change of that number.', hint: 'List them with `muster tw op ls`.' },
  TW_MAINTENANCE_UNKNOWN: { exit: 3, what: 'No planned work of that number.', hint: 'List it with `muster tw maintenance ls`.' },
  TW_CONSENT_WAIT: {
    exit: 6,
    what: 'A planned change waits for the word of the application whose task it is.',
    hint: 'See its endpoint with `muster tw op show OP`; say yes in its place with `muster tw op allow OP`.',
  },
  TW_BUDGET_WAIT: {
    exit: 6,
    what: 'A planned change waits because as many tasks of the group are unavailable as may be.',
    hint: 'See which with `muster tw ps JOB`; raise max_unavailable, or force it with `muster tw op force OP`.',
  },
  TW_NO_SURGE_CAPACITY: {
    exit: 6,
    what: 'No task of the group may be unavailable, and there is no room for one more beside them.',
    hint: 'Add a node, lower what tasks reserve, or set max_unavailable to at least 1.',
  },
  TW_NO_CAPACITY: { exit: 6, what: 'No node has room for the task now.', hint: 'See why with `muster tw explain`.' },
  TW_QUOTA: {
    exit: 6,
    what: 'The owner of the job is at its quota, or what nobody is guaranteed is used up.',
    hint: 'See `muster tw entitlement show NAME`; raise it with `muster tw quota set`.',
  },
  TW_ENTITLEMENT_UNKNOWN: { exit: 3, what: 'No entitlement of that name.', hint: 'List them with `muster tw entitlement ls`.' },
  TW_NO_FEASIBLE_NODE: { exit: 6, what: 'No node could ever hold the task.', hint: 'See why with `muster tw explain`.' },
  TW_COMPOSE_INVALID: { exit: 2, what: 'The compose file cannot be imported.', hint: 'See file:line:column in the message.' },
  TW_ARTIFACT: {
    exit: 1,
    what: 'The artifact is missing or its bytes do not match its digest.',
    hint: 'Start the rollout again from the directory or archive.',
  },
  MESH_SPEC_INVALID: { exit: 2, what: 'The split or route is not valid.', hint: 'Shares must add up to 1,000,000.' },
  MESH_EPOCH_STALE: {
    exit: 5,
    what: 'A newer split is in force; this one comes from somebody who was replaced.',
    hint: 'Look with `muster tw mesh show SERVICE`.',
  },
  MESH_SERVICE_UNKNOWN: { exit: 3, what: 'No service of that name.', hint: 'List services with `muster tw mesh ls`.' },
})
