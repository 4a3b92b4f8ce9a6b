import { dirname, join } from 'node:path'

/** Part of the socket's name, as libpq looks for it: `psql -h FOLDER -p 5433`. */
export const PG_SOCKET_PORT = 5433

/** The owner's socket for PostgreSQL's clients, beside the leaf's own. */
export const pgSocketOf = (leafSocket: string): string => join(dirname(leafSocket), `.s.PGSQL.${PG_SOCKET_PORT}`)
