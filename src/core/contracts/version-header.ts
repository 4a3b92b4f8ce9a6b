/** Header of every answer of a server: the version of its muster. */
export const VERSION_HEADER = 'x-muster-version'
