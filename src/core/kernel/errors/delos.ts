import { defineErrors } from './define.ts'

export const DELOS_ERRORS = defineErrors({
  DELOS_LOG_CORRUPT: {
    exit: 6,
    what: 'The log is damaged in the middle: entries that were acknowledged cannot be read.',
    hint: 'Restore a snapshot with `muster delos snapshot restore`, or copy the log from a backup.',
  },
  DELOS_DISK_FAILED: {
    exit: 1,
    what: 'Writing the log to disk failed, so nothing more is acknowledged.',
    hint: 'Check the disk, then start the server again: it reads its files anew. What was asked meanwhile may or may not have happened.',
  },
  DELOS_ENTRY_TOO_LARGE: {
    exit: 2,
    what: 'What should be logged at once is larger than the log takes.',
    hint: 'Split it, or keep large values elsewhere and log their digest.',
  },
  DELOS_SEALED: {
    exit: 5,
    what: 'This stretch of the log is sealed and takes no new entries.',
    hint: 'Start the server again; if it stays, the log is being moved.',
  },
  DELOS_TRIMMED: {
    exit: 3,
    what: 'Entries at this position are no longer kept.',
    hint: 'See the oldest position with `muster delos log ls`.',
  },
  DELOS_LOCK_HELD: {
    exit: 5,
    what: 'Somebody else holds the lock.',
    hint: 'See who with `muster delos lock ls`, or wait longer with --wait.',
  },
  DELOS_SCOPE_LOCKED: {
    exit: 5,
    what: 'Another rollout, drain, remedy or chaos run holds this scope.',
    hint: 'See who in the message; wait or end it.',
  },
  DELOS_KEY_UNKNOWN: { exit: 3, what: 'The key does not exist.', hint: 'List keys with `muster delos kv get PREFIX --prefix`.' },
  DELOS_LEASE_UNKNOWN: {
    exit: 3,
    what: 'No such lease: it was revoked or has expired.',
    hint: 'Grant a new one with `muster delos lease grant`.',
  },
  DELOS_LOCK_UNKNOWN: { exit: 3, what: 'Nobody holds a lock of that name.', hint: 'List locks with `muster delos lock ls`.' },
  DELOS_LOCK_LOST: {
    exit: 5,
    what: 'The lock was lost while the command ran, so the command was stopped.',
    hint: 'Guard what it writes with the token: `muster delos kv put --fence NAME:TOKEN`.',
  },
  DELOS_FENCED: {
    exit: 5,
    what: 'The lock that should guard this write is held by somebody else, or by nobody.',
    hint: 'Take the lock again and retry with its new token.',
  },
  DELOS_REVISION: {
    exit: 3,
    what: 'The revision was compacted, or does not exist yet.',
    hint: 'See the oldest and newest revision in the message.',
  },
  DELOS_CONFLICT: { exit: 5, what: 'The value changed since it was read.', hint: 'Read it again and retry.' },
  DELOS_NO_QUORUM: {
    exit: 6,
    what: 'No leader that a majority of the servers follows was found in time; nothing was changed.',
    hint: 'Bring the servers that the message names back, or wait for the network; reads that say --serializable still work.',
  },
  DELOS_NOT_LEADER: {
    exit: 6,
    what: 'Another server decides at the moment, or none does yet; nothing was changed.',
    hint: 'Ask the server that the message names; while none leads, ask again in a second.',
  },
  DELOS_OUTCOME_UNKNOWN: {
    exit: 6,
    what: 'A server went away before it answered: what was asked may or may not have happened.',
    hint: 'Look whether it happened before you ask again.',
  },
  DELOS_REFUSED: {
    exit: 1,
    what: 'The store refused what was asked, in the words of the message.',
    hint: "The message is etcd's own; correct what it names.",
  },
  DELOS_PLACE_LOST: {
    exit: 5,
    what: "The leadership, lock, membership, permit or place in a queue is gone: with its lease, or by somebody's hand.",
    hint: 'Start anew; guard what is written meanwhile by the create_revision of the key.',
  },
  DELOS_PLACE_REFUSED: {
    exit: 5,
    what: 'The place belongs to another lease, or the others agreed on another number.',
    hint: 'Wait for the end of the other lease, or ask for the number in the message.',
  },
  DELOS_STILL_WAITING: {
    exit: 5,
    what: 'The turn did not come in the time allowed; the place in the queue was given up.',
    hint: 'Wait longer, or see who is before you.',
  },
  DELOS_WRONG_CLUSTER: {
    exit: 5,
    what: 'The data directory is of another cluster, or of another server of it.',
    hint: 'Give the --name, --initial-cluster and --initial-cluster-token it was made with, or another --data-dir.',
  },
  DELOS_RECONFIGURE_LOST: {
    exit: 5,
    what: 'Another change of what the log is made of was decided instead.',
    hint: 'See what it is now with `muster delos log loglets`, then ask again.',
  },
  DELOS_RECONFIGURE_REFUSED: {
    exit: 2,
    what: 'The log or its members cannot be changed so; nothing was changed.',
    hint: 'The message names what is in the way.',
  },
  DELOS_RECONFIGURE_UNFINISHED: {
    exit: 6,
    what: 'A change of what the log is made of was begun and not finished in time; the servers go on with it by themselves.',
    hint: 'See what it is now with `muster delos log loglets`.',
  },
  DELOS_MEMBER_REMOVED: {
    exit: 6,
    what: 'This server was removed from its cluster, for good; its data stays where it is.',
    hint: 'To bring it back, start it with an empty --data-dir as a new member.',
  },
  DELOS_TOKEN_UNKNOWN: {
    exit: 4,
    what: 'The cluster has not given the token that a server came with.',
    hint: 'Make one with `muster delos member token` in the context of the cluster.',
  },
  DELOS_TOKEN_EXPIRED: {
    exit: 4,
    what: 'The time of the token that a server came with is over.',
    hint: 'Make a new one with `muster delos member token`; --ttl says how long it is good for.',
  },
  DELOS_TOKEN_USED: {
    exit: 4,
    what: 'As many servers as the token was for have joined by it.',
    hint: 'Make a new one with `muster delos member token`; --uses says for how many servers.',
  },
  DELOS_WRONG_CA: {
    exit: 4,
    what: 'The server that answered is not of the cluster that the token is for: its certificate is of another authority.',
    hint: 'Look whether the address in the token leads to the right machine; if it does, make a new token there.',
  },
  DELOS_REPLAYED_SERVER: {
    exit: 5,
    what: 'The data directory is a copy from the past: it lacks promises that this server gave later, so the others do not let it in.',
    hint: 'Remove the server with `muster delos member remove`, then let it join as a new one with an empty --data-dir. If all servers were restored so, use `muster delos recover`.',
  },
  DELOS_CONFIG_UNKNOWN: {
    exit: 3,
    what: 'No such configuration, or no such version of it.',
    hint: 'List them with `muster delos config ls`, its versions with `muster delos config history NAME`.',
  },
  DELOS_CONFIG_INVALID: {
    exit: 2,
    what: 'The configuration does not fit its schema, or the schema cannot be checked.',
    hint: 'Correct what the message names; --no-schema sets a configuration without one.',
  },
  DELOS_CONFIG_CANARY: {
    exit: 5,
    what: 'A version of this configuration is on trial with a share of its readers.',
    hint: 'Wait for its verdict, give it with `muster delos config judge`, or end it with `muster delos config rollback NAME`.',
  },
  DELOS_META_UNKNOWN: { exit: 3, what: 'No such metadata record.', hint: 'List them with `muster delos meta ls`.' },
  DELOS_STATE_NOT_EMPTY: {
    exit: 5,
    what: 'The context already has a state, which a restore or joining a cluster would overwrite.',
    hint: 'Take another --context, or remove this one with `muster down --purge`.',
  },
  DELOS_STATE_DIFFERS: {
    exit: 6,
    what: 'What this server made of the log differs from what a majority of the servers made of it, so it answers nothing from it; it gets the state of another server and goes on by itself.',
    hint: 'Ask again in a moment. See how far it is with `muster delos status`; when it happens again, check the memory and the disk of the server that the message names.',
  },
  DELOS_STATE_SPLIT: {
    exit: 6,
    what: 'The servers made different states of the same log and no majority has the same one, so nothing is answered or changed by what may be wrong; tasks and the pager go on.',
    hint: 'On one server after the other end the server process (its pid is in `muster status`; tasks go on) and start it with `muster up`: it makes its state anew from the log. See docs/servers.md.',
  },
  DELOS_POISON: {
    exit: 70,
    what: 'Applying an entry of the log ended the server twice, so it is not tried again; the log itself goes on.',
    hint: 'See what stands there with `muster delos log skip POSITION --reason TEXT --plan`, report it, and have it passed over. Or install a version that can apply it, and remove the file `applying` in the data directory.',
  },
  DELOS_ARCHIVE_INVALID: {
    exit: 2,
    what: 'The archive of the log is damaged, has a hole, or is of another server.',
    hint: 'See what it holds with `muster delos log verify DIR`; a snapshot taken after the hole needs nothing before it.',
  },
  DELOS_SNAPSHOT_INVALID: {
    exit: 2,
    what: 'The file is not a whole muster snapshot.',
    hint: 'Save a new one with `muster delos snapshot save FILE`.',
  },
})
