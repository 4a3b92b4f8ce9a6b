import { defineErrors } from './define.ts'

export const SCUBA_ERRORS = defineErrors({
  SCUBA_SQL: { exit: 2, what: 'The query is not one this engine answers.', hint: 'See the position in the message.' },
  SCUBA_TABLE_UNKNOWN: { exit: 3, what: 'No table of that name.', hint: 'List tables with `muster scuba table list`.' },
  SCUBA_COLUMN_UNKNOWN: { exit: 3, what: 'No column of that name.', hint: 'List columns with `muster scuba table show TABLE`.' },
  SCUBA_ROWS_INVALID: { exit: 2, what: 'The body is not NDJSON.', hint: 'Send one JSON object a line, in UTF-8.' },
  SCUBA_LINES_INVALID: {
    exit: 2,
    what: 'Some lines cannot become rows, and all were to be kept or none.',
    hint: 'See details.lines; nothing was stored. Without `--validate` the good lines are kept and the bad ones quarantined.',
  },
  SCUBA_BODY_INVALID: {
    exit: 2,
    what: 'The body is not what its route or its port takes.',
    hint: 'See the place in the message; nothing of it was stored.',
  },
  SCUBA_TOO_LARGE: {
    exit: 2,
    what: 'The request or its answer is larger than the limit.',
    hint: 'Send smaller batches, or narrow the query.',
  },
  SCUBA_KEY_REUSED: { exit: 5, what: 'The idempotency key was used with other bytes.', hint: 'Use a new key for new rows.' },
  SCUBA_DISK_FULL: { exit: 6, what: 'The store has no space left; the rows were not accepted.', hint: 'Free space, then send again.' },
  SCUBA_READ_ONLY: {
    exit: 6,
    what: 'The store could not write twice and takes no rows any more; queries go on.',
    hint: 'See the log of the leaf and the disk; restarting the leaf makes it try again.',
  },
  SCUBA_DOWN: { exit: 6, what: 'The leaf or its engine does not answer.', hint: 'It is restarted by itself; try again in a second.' },
  SCUBA_FENCED: {
    exit: 6,
    what: 'The leaf does not hold the shard any more, or was not told of it yet.',
    hint: 'Send again: the rows then go to the leaf that holds it.',
  },
  SCUBA_DEADLINE: { exit: 6, what: 'The query did not finish in its time.', hint: 'Narrow the time range or allow more with --deadline.' },
  SCUBA_MEMORY: {
    exit: 6,
    what: 'The query needed more memory than the engine has.',
    hint: 'Group by fewer columns or narrow the time range.',
  },
  SCUBA_SAVED_INVALID: { exit: 2, what: 'The saved query or the board is not valid.', hint: 'See the message for the field.' },
  SCUBA_PARTIAL: {
    exit: 8,
    what: 'Not all rows could be read, and a full answer was required.',
    hint: 'Ask without `--require full` to get what there is; `muster scuba verify` looks for damage.',
  },
  SCUBA_BUSY: {
    exit: 6,
    what: 'The store has more to do than it can keep up with: too many queries wait, or too many rows.',
    hint: 'Try again after the time that Retry-After says; a board asks for many panels in one request, `muster scuba send` waits by itself.',
  },
  SCUBA_QUOTA: {
    exit: 6,
    what: 'More came in than the quota of the token or the table allows; nothing of the batch was stored.',
    hint: 'Send again after the time that Retry-After says; see `muster scuba quota list`.',
  },
  SCUBA_TABLE_EXISTS: { exit: 5, what: 'There is a table of that name already.', hint: 'Use another name.' },
  SCUBA_SCHEMA_INVALID: { exit: 2, what: 'The declaration of a table or column is not valid.', hint: 'See the message for the field.' },
  SCUBA_SCHEMA_BREAKING: {
    exit: 5,
    what: 'Rows that were taken before would be refused, or would mean something else.',
    hint: 'Change the declaration, or put it with `--new-version` if that is meant.',
  },
  SCUBA_HELD: {
    exit: 4,
    what: 'Rows are held, so they must stay.',
    hint: 'See `muster scuba hold list`; release a hold with `muster scuba hold rm ID` first.',
  },
  SCUBA_ALERT_INVALID: { exit: 2, what: 'The alert rule is not valid.', hint: 'See the message for the field.' },
  SCUBA_SLO_INVALID: {
    exit: 2,
    what: 'The service objectives are not valid.',
    hint: 'See the message for the field; starters are in templates/slos/.',
  },
})
