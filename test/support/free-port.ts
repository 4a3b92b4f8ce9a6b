import { freePort as freePortOf } from '../../src/platform/free-port.ts'

/** Each worker of the suite has ports of its own, so that none takes a port of another's server that restarts. */
const SHARE = 600
const SHARES = 5
const range = { first: 10_000 + (Number(process.env['VITEST_POOL_ID'] ?? 0) % SHARES) * SHARE, count: SHARE }

/** A port of loopback that was free a moment ago, and is nobody else's to choose. */
export const freePort = (): Promise<number> => freePortOf('127.0.0.1', range)
