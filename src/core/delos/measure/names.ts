// Apart from the schema of the page, which a server that only tells it need not load.

/** Where a server of the store tells all it knows of itself; as open as `/metrics` is. */
export const SERVER_PAGE_PATH = '/muster/v1/delos/status'

/** etcd's kinds of alarms. */
export const ALARM_NAMES: Readonly<Record<number, string>> = { 1: 'NOSPACE', 2: 'CORRUPT' }
