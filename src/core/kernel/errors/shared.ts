import { defineErrors } from './define.ts'

export const SHARED_ERRORS = defineErrors({
  USAGE: { exit: 2, what: 'The command line or the request is not of the documented form.', hint: 'Run the command with --help.' },
  NOT_FOUND: { exit: 3, what: 'Nothing of that name exists.', hint: 'List what exists with the matching `ls` command.' },
  NOT_PERMITTED: { exit: 4, what: 'Your role does not allow this.', hint: 'Ask somebody with the role named in the message.' },
  CONFIRM_REQUIRED: { exit: 4, what: 'A high-risk command needs the name of its target typed.', hint: 'Add --confirm NAME.' },
  PLAN_STALE: {
    exit: 5,
    what: 'What the plan touches has changed since it was made.',
    hint: 'Run the command again with --plan and apply the new plan.',
  },
  SERVER_DOWN: { exit: 6, what: 'No server answers for this context.', hint: 'Start one with `muster up`.' },
  SERVER_RUNNING: {
    exit: 5,
    what: 'Another server already runs on this state.',
    hint: 'Look with `muster status`, stop it with `muster down`, or use another --context.',
  },
  STATE_NEWER: { exit: 6, what: 'The state was written by a newer version of muster.', hint: 'Use that version, or another --context.' },
  STATE_UNREADABLE: {
    exit: 6,
    what: 'The state directory cannot be used.',
    hint: 'See the message for the file; `muster doctor` checks them all.',
  },
  PORT_TAKEN: { exit: 6, what: 'The port that was asked for is in use.', hint: 'Leave the port out to take a free one, or name another.' },
  DISK_FULL: { exit: 6, what: 'The disk is full; the change was refused and nothing was lost.', hint: 'Free space, then try again.' },
  DISK_STALLED: {
    exit: 6,
    what: 'The disk takes writes no more; the change was refused and nothing was lost. What runs goes on.',
    hint: 'Look at the disk of the server, then try again.',
  },
  UNAVAILABLE: { exit: 6, what: 'A part that is needed does not answer now.', hint: 'Look with `muster status`, then try again.' },
  TIMEOUT: { exit: 6, what: 'It did not happen in the time allowed.', hint: 'Look with `muster status`, or allow more time.' },
  WAIT_OVER: {
    exit: 1,
    what: 'What was asked for was accepted and goes on, but had not come about when --wait gave up.',
    hint: 'The message says what it waits for; wait longer with --timeout.',
  },
  VERSION_SKEW: {
    exit: 6,
    what: 'The command and the server are of versions of muster that do not understand each other in this.',
    hint: 'Run the muster that the server was started from, or start the server from this one: `muster down`, then `muster up`. Tasks run on.',
  },
  FILE_UNREADABLE: { exit: 2, what: 'A file that was named cannot be read.', hint: 'Check the path.' },
  INTERNAL: { exit: 70, what: 'A bug in muster.', hint: 'Please report it with the log that `muster status` names.' },
})
