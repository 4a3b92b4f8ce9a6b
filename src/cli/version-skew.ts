import { MusterError, unknownCodeOf } from '../core/kernel/errors.ts'

/**
 * What to say of an error of a command whose server is of another version: where it comes from that, it is no bug and nothing the user did wrong.
 * @param own version of this program
 * @param server that of the server; null: an older one, which does not say; undefined: none has answered
 */
export function skewOr(error: Error, own: string, server: string | null | undefined): Error {
  if (server === undefined || server === own || !comesOfSkew(error)) return error
  const theirs = server === null ? 'of an older version, which does not say itself' : server
  const why = error instanceof MusterError ? error.message : 'its answer is not what this command expects'
  return new MusterError('VERSION_SKEW', `this muster is ${own} and the server is ${theirs}: ${why}`, { cause: error })
}

function comesOfSkew(error: Error): boolean {
  // What an answer lacks is read as if it were there.
  if (!(error instanceof MusterError)) return error instanceof TypeError || error instanceof RangeError
  return unknownCodeOf(error) !== null || (error.code === 'NOT_FOUND' && error.message.startsWith('nothing answers '))
}
